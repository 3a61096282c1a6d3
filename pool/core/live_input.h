/* Standard input that comes while the program runs. It holds the bytes that were accepted from the client and not
 * written yet. An execution owns it, and a run writes from it. */
#pragma once

#include "proto/base/submission.h"

#include <event2/buffer.h>
#include <stdbool.h>
#include <stddef.h>

struct live_input {
        struct evbuffer *bytes; /* NULL: the execution has no live input */
        bool ended;             /* no more input follows */
        bool closed;            /* the program takes no more input */
        bool wanted;            /* the sender waits to be told that there is room */
        bool types;             /* the input is typed on a terminal, where the character Ctrl-D stands for the end */
        bool in_line;           /* on a terminal: the last line is not ended yet */
};

/* -ENOMEM. */
int live_input_init(struct live_input *l, const struct submission *s);
void live_input_fini(struct live_input *l);

/* As execution_input. On a terminal the end of the input is typed as Ctrl-D. If a line has begun, Ctrl-D is typed
 * twice, because the first one only ends the line. */
int live_input_put(struct live_input *l, struct span bytes, bool end);

/* As execution_input_room. */
int live_input_room(const struct live_input *l);

enum { LIVE_MORE = 0, LIVE_END = 1, LIVE_WAITS = 2 };

/* Writes what fd takes. LIVE_MORE: it takes no more at present. LIVE_WAITS: all is written, and more may come.
 * LIVE_END: nothing more is to be written. Negative: writing failed. */
int live_input_write(struct live_input *l, int fd);

/* True once after input was put or refused, when there is room again, or when there will never be room again. */
bool live_input_wants(struct live_input *l);

/* The program takes no more input: waiting bytes are dropped. */
void live_input_close(struct live_input *l);

size_t live_input_held(const struct live_input *l);
