/* Listening sockets. The supervisor makes them, and hands them to the pool and to the gateway's workers. So these
 * processes need no right to bind, and a restarted process finds its clients waiting. */
#pragma once

#include "proto/base/err.h"

#include <stddef.h>

enum { LISTEN_NAME_SIZE = 128 };

struct listen_socket {
        int fd;                      /* owned */
        char name[LISTEN_NAME_SIZE]; /* as a client would write it: "127.0.0.1:40123", "unix:/run/h.sock" */
        char path[LISTEN_NAME_SIZE]; /* the path of a unix socket, removed in listen_close; else "" */
};

/* address is "HOST:PORT", "[HOST]:PORT" (port 0: a free one) or "unix:PATH". */
int listen_open(struct listen_socket *l, const char *address, struct err *e);
void listen_close(struct listen_socket *l);

/* Opens n sockets that share one TCP address. The kernel gives each new connection to one of them. Fills fds, which the
 * caller owns, and name. -EADDRINUSE: another server listens there, even if that server shares the address. */
int listen_open_shared(int *fds, size_t n, char name[LISTEN_NAME_SIZE], const char *address, struct err *e);
