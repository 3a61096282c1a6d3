/* The pool's trusted socket, by which the gateway's workers reach the pool. The socket lies in a directory of the
 * instance's own. A worker sees only this directory of the host's files. Only the gateway's user can connect. */
#pragma once

#include "hatcheryd/instance.h"
#include "hatcheryd/listen.h"
#include "proto/base/err.h"
#include "proto/base/log.h"

/* The socket's name in that directory, as an address for clients. */
#define POOLSOCKET_ADDRESS "unix:pool.sock"

struct poolsocket {
        struct listen_socket listener; /* .fd is -1 while there is no socket */
        int directory;                 /* owned; -1 while there is none */
        char path[64];                 /* the directory's path; "" while there is none */
};

void poolsocket_init(struct poolsocket *p);

/* Makes directory and socket. poolsocket_close removes them, also after a failure. */
int poolsocket_open(struct poolsocket *p, const struct instance *instance, struct err *e);
void poolsocket_close(struct poolsocket *p);

/* Removes sockets and directories that killed servers have left, also servers with this instance's number. */
void poolsocket_remove_leftovers(const struct instance *own, const struct log *log);
