/* The confinement of a gateway worker. It reads what strangers write, so it is left with its listening sockets, its way
 * to the pool, and nothing else. The steps are those of proto/confine/confine.h; a failure ends the process. */
#pragma once

#include "proto/base/err.h"

#include <stdint.h>

/* Closes descriptors from first_foreign on, and leaves the host's network, files and rights. Sockets that are open
 * already stay in the host's network. root: the directory that becomes the whole file system, and holds the pool's
 * socket alone; it is closed. uid: the user that the process becomes. To be called before a byte of a stranger is
 * read. */
int gateway_confine(unsigned first_foreign, uint32_t uid, int root, struct err *e);

/* Allows only the system calls of the loop, so everything else must be set up before. */
int gateway_confine_calls(struct err *e);
