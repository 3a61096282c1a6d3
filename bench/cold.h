/* The cold start: what everybody pays who starts an interpreter after the request has come. Starts command lines (see
 * command.h) by posix_spawn, reads their output and reaps them. */
#pragma once

#include "bench/command.h"
#include "bench/sample.h"
#include "proto/err.h"

struct cold {
        const struct command *command;
        void *state; /* what its start made */
        const struct program *program;
};

int cold_paced(struct sample *s, const struct cold *c, const struct pace *pace, struct err *e);

/* n at once, each followed by the next as soon as it is reaped. */
int cold_window(struct sample *s, const struct cold *c, unsigned n, const struct window *window, struct err *e);

/* One run that is neither timed nor checked: its output, of which there must be less than size bytes, and wait's
 * status.
 */
int cold_once(const struct cold *c, char *out, size_t size, size_t *len, int *status, struct err *e);
