/* The terminal that the command is used on: its size, and raw mode, in which each key goes to the program as it is
 * typed. The terminal's former attributes come back whenever and however this process ends: see guard.h. */
#pragma once

#include "client/guard.h"
#include "proto/base/err.h"
#include "proto/base/submission.h"

#include <stdbool.h>
#include <termios.h>

struct terminal {
        int fd; /* borrowed */
        bool is_raw;
        struct termios before;
        struct guard guard;
};

/* -ENOTTY: fd is no terminal. t is to be released by terminal_fini in every case. */
int terminal_init(struct terminal *t, int fd, struct err *e);

/* Restores the attributes. Idempotent; a zeroed t is accepted. */
void terminal_fini(struct terminal *t);

/* Both functions do nothing if the terminal is in that state already. */
int terminal_make_raw(struct terminal *t, struct err *e);
void terminal_restore(struct terminal *t);

/* A terminal that does not know its size is taken for one of 24 rows and 80 columns. */
struct terminal_size terminal_size(const struct terminal *t);
