/* One listening socket, inherited from the supervisor: accepts connections, and pauses when descriptors run out. A
 * trusted listener serves only the gateway's user: the kernel names the user of each connection. */
#pragma once

#include "pool/base/timer.h"
#include "pool/base/trusted.h"
#include "proto/base/err.h"

#include <event2/event_struct.h>
#include <stdbool.h>

struct native;

struct listener {
        struct native *native;
        int fd;
        bool trusted; /* it serves only the gateway, whose user is uid */
        uint32_t uid;
        struct event readable;
        struct timer pause;
};

/* Takes fd over. trusted: the gateway that the listener serves; NULL: it serves ordinary clients. */
int listener_init(struct listener *l, struct native *n, int fd, const struct trusted_listener *trusted, struct err *e);
void listener_fini(struct listener *l);

/* To be called about every second. Watches the socket again if the timer of the pause, or the pause's end, has
 * failed. */
void listener_tick(struct listener *l);

/* The number of connections that are allowed: max_connections, or as many as the limit of descriptors allows if that is
 * less. A number below max_connections is logged. Some descriptors are kept for sandboxes, because a server without
 * them could serve no client. */
unsigned listener_room(const struct native *n);
