/* Looks up the addresses of a host name without waiting. The resolver of libc can only block, so each name is looked up
 * by a thread of its own. If the lookup is given up early, the thread lives on until the resolver returns. A numeric
 * address needs no thread. */
#pragma once

#include "proto/base/err.h"

struct addrinfo;
struct lookup;

enum { LOOKUP_PENDING = 1 };

int lookup_new(struct lookup **out, const char *host, const char *port, struct err *e);

/* Never waits; NULL is accepted. */
void lookup_free(struct lookup *l);

/* Readable when the lookup has ended. Borrowed. */
int lookup_fd(const struct lookup *l);

/* LOOKUP_PENDING; or 0 and the addresses, which the caller frees by freeaddrinfo; or a negative errno. */
int lookup_take(struct lookup *l, struct addrinfo **list, struct err *e);
