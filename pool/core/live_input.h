/* Standard input that comes while its program runs: the bytes that are taken and not written yet. An execution owns it,
 * and a run writes from it. */
#pragma once

#include "proto/base/submission.h"

#include <event2/buffer.h>
#include <stdbool.h>
#include <stddef.h>

struct live_input {
        struct evbuffer *bytes; /* NULL: the execution has no live input */
        bool ended;             /* none follows */
        bool closed;            /* the program takes no more */
        bool wanted;            /* its sender is to be told that there is room */
        bool types;             /* it is typed on a terminal, where a character stands for the end */
        bool in_line;           /* ... and the last line has no end yet */
};

/* -ENOMEM. */
int live_input_init(struct live_input *l, const struct submission *s);
void live_input_fini(struct live_input *l);

/* As execution_input. On a terminal the end is typed: Ctrl-D, which ends a line that has begun, and once more. */
int live_input_put(struct live_input *l, struct span bytes, bool end);

/* As execution_input_room. */
int live_input_room(const struct live_input *l);

enum { LIVE_MORE = 0, LIVE_END = 1, LIVE_WAITS = 2 };

/* Writes what fd takes. LIVE_MORE: it takes no more at present. LIVE_WAITS: all is written, and more may come.
 * LIVE_END: nothing more is to be written. Negative: writing failed. */
int live_input_write(struct live_input *l, int fd);

/* There is room again since something was put, or refused, or none will ever be; and this has not been told before. */
bool live_input_wants(struct live_input *l);

/* The program takes no more: waiting bytes are dropped. */
void live_input_close(struct live_input *l);

size_t live_input_held(const struct live_input *l);
