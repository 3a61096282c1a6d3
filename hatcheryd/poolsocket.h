/* The pool's trusted socket, by which the gateway's workers reach it. It lies in a directory of the instance's own,
 * which is all that a worker sees of the host's files. Only the gateway's user can connect. */
#pragma once

#include "hatcheryd/instance.h"
#include "hatcheryd/listen.h"
#include "proto/base/err.h"
#include "proto/base/log.h"

/* Its name in that directory, as a client's address. */
#define POOLSOCKET_ADDRESS "unix:pool.sock"

struct poolsocket {
        struct listen_socket listener; /* .fd is -1 while there is none */
        int directory;                 /* owned; -1 */
        char path[64];                 /* of the directory; "" while there is none */
};

void poolsocket_init(struct poolsocket *p);

/* Makes directory and socket. poolsocket_close removes them, also after a failure. */
int poolsocket_open(struct poolsocket *p, const struct instance *instance, struct err *e);
void poolsocket_close(struct poolsocket *p);

/* Removes the sockets and directories that killed servers have left, and those of this instance number. */
void poolsocket_remove_leftovers(const struct instance *own, const struct log *log);
