/* One listening socket, inherited from the supervisor: accepts connections, and pauses when descriptors run out. */
#pragma once

#include "pool/base/timer.h"
#include "proto/base/err.h"

#include <event2/event_struct.h>

struct native;

struct listener {
        struct native *native;
        int fd;
        struct event readable;
        struct timer pause;
};

/* Takes fd over. */
int listener_init(struct listener *l, struct native *n, int fd, struct err *e);
void listener_fini(struct listener *l);

/* To be called about every second: watches a listener again if its pause could not be timed, or could not be ended. */
void listener_tick(struct listener *l);

/* The number of connections that are allowed: max_connections, or as many as the limit of descriptors allows if that is
 * less. A number below max_connections is logged. Some descriptors are kept for sandboxes, because a server without
 * them could serve no client. */
unsigned listener_room(const struct native *n);
