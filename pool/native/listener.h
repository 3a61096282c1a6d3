/* One listening socket, inherited from the supervisor: accepts connections, and pauses when descriptors run out. */
#pragma once

#include "pool/state.h"
#include "proto/base/err.h"

struct listener {
        struct pool *pool;
        int fd;
        struct event readable;
        struct event pause;
};

/* Takes fd over. */
int listener_init(struct listener *l, struct pool *p, int fd, struct err *e);
void listener_fini(struct listener *l);

/* To be called each second or so: one whose pause could not be timed, or could not be ended, is watched again. */
void listener_tick(struct listener *l);

/* Lowers max_connections to what the limit of descriptors leaves for connections, and says so: without descriptors for
 * its sandboxes a server serves nobody. */
void listener_check_files(struct pool *p);
