/* The pool's end of one channel to a zygote. Sending an order never blocks. Reports are handed to the owner of this
 * end. Any fault on the channel closes the channel. The zygote then sees end of file, and ends with all its sandboxes.
 */
#pragma once

#include "proto/ipc/channel.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>

struct channel_pending {
        struct order order;
        int fd; /* -1: no descriptor */
};

struct channel_end {
        /* A report, with descriptors that the callee now owns. Negative: the zygote is no longer to be trusted. */
        int (*on_report)(void *owner, const struct report *report, const int *fds, size_t n_fds, struct err *e);
        /* The channel has ended. The callee may free the struct that holds this end. */
        void (*on_end)(void *owner, const char *why);
        void *owner;

        int sock;          /* -1: not open */
        struct err broken; /* why an order could not be sent */
        struct event readable;
        struct event writable;
        struct channel_pending *pending; /* orders that the socket had no room for */
        size_t n_pending, room;
};

/* The callbacks and the owner must be set. Takes sock over, even after a failure. */
int channel_end_open(struct channel_end *c, struct event_base *base, int sock, struct err *e);

/* Does nothing if the end was never opened and its sock is -1. */
void channel_end_close(struct channel_end *c);

/* Sends an order, with a borrowed descriptor or -1. An order that can't be sent ends the channel. The owner is told
 * when the loop next looks at the channel, never within this call. */
void channel_end_order(struct channel_end *c, const struct order *order, int fd);
