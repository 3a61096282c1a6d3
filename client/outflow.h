/* The way of a run's output to our standard output and standard error: in the order in which it came, and no faster
 * than it is read there. Writes never wait, so that signals are heeded and the terminal restored behind a stuck pipe.
 */
#pragma once

#include "proto/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum outflow_stream { OUTFLOW_OUT, OUTFLOW_ERR, OUTFLOW_STREAMS };

struct piece;

struct outflow {
        struct {
                int fd;        /* for writing: one of our own that does not block, or the given one */
                bool is_own;   /* ... opened by us */
                bool may_wait; /* a write to it may block, so each is a small one that a poll has allowed */
                bool is_socket;
                int error;         /* an errno: nothing is written any more, and what comes is thrown away */
                uint8_t last_byte; /* of what came; '\n' at first */
        } to[OUTFLOW_STREAMS];
        struct piece *first, *last;
        size_t waiting;                  /* bytes of them */
        uint64_t settled;                /* bytes, of all that came, that are written or thrown away */
        enum outflow_stream last_stream; /* on which the last byte came */
};

void outflow_init(struct outflow *f, int out, int err);
void outflow_fini(struct outflow *f);

/* -ENOMEM: these bytes are lost. */
int outflow_add(struct outflow *f, enum outflow_stream stream, struct span bytes);

/* Writes what can be written now. */
void outflow_push(struct outflow *f);

/* The descriptor that has to become writable before outflow_push can go on; -1: nothing waits. */
int outflow_awaited(const struct outflow *f);
