/* Writes a run's output to our standard output and standard error: in the order in which it came, and no faster than it
 * is read there. Writes never wait. So a stuck pipe keeps the command neither from its signals nor from restoring the
 * terminal. */
#pragma once

#include "proto/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum outflow_stream { OUTFLOW_OUT, OUTFLOW_ERR, OUTFLOW_STREAMS };

struct piece;

struct outflow {
        struct {
                int fd;        /* where output is written: our own non-blocking copy, or the given one */
                bool is_own;   /* opened by us, so closed by us */
                bool may_wait; /* a write may block, so poll comes before each, and each is small */
                bool is_socket;
                int error;         /* an errno, 0: none. After an error all further output is thrown away */
                uint8_t last_byte; /* the last byte that came; '\n' at first */
        } to[OUTFLOW_STREAMS];
        struct piece *first, *last;
        size_t waiting;                  /* bytes in these pieces */
        uint64_t settled;                /* bytes written or thrown away so far */
        enum outflow_stream last_stream; /* the stream of the last byte that came */
};

void outflow_init(struct outflow *f, int out, int err);
void outflow_fini(struct outflow *f);

/* -ENOMEM: these bytes are lost. */
int outflow_add(struct outflow *f, enum outflow_stream stream, struct span bytes);

/* Writes what can be written now. */
void outflow_push(struct outflow *f);

/* The descriptor that has to become writable before outflow_push can go on; -1: nothing waits. */
int outflow_awaited(const struct outflow *f);
