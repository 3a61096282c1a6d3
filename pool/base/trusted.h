/* A listener whose clients may ask on behalf of others: a unix socket for the server's own gateway. The kernel tells
 * the user of each connection there, and only the gateway's user is served. */
#pragma once

#include "proto/base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { TRUSTED_MAX = 8, TRUSTED_ARG_SIZE = 24 };

struct trusted_listener {
        unsigned listener; /* its place among the pool's listeners, from 0 */
        uint32_t uid;      /* of the gateway */
};

/* The form of a command line: INDEX:UID. */
void trusted_to_arg(const struct trusted_listener *t, char arg[TRUSTED_ARG_SIZE]);
int trusted_from_arg(struct trusted_listener *t, const char *arg, struct err *e);

/* The entry of this listener; NULL: it is not trusted. */
const struct trusted_listener *trusted_find(const struct trusted_listener *list, size_t n, unsigned listener);
