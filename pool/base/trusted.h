/* A listener whose clients may ask on behalf of other callers: a unix socket for the server's own gateway. The kernel
 * reports the user of each client, and only clients of the gateway's user are served. */
#pragma once

#include "proto/base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { TRUSTED_MAX = 8, TRUSTED_ARG_SIZE = 24 };

struct trusted_listener {
        unsigned listener; /* the index among the pool's listeners, from 0 */
        uint32_t uid;      /* the gateway's user */
};

/* The form on a command line: INDEX:UID. */
void trusted_to_arg(const struct trusted_listener *t, char arg[TRUSTED_ARG_SIZE]);
int trusted_from_arg(struct trusted_listener *t, const char *arg, struct err *e);

/* The entry of this listener; NULL: it is not trusted. */
const struct trusted_listener *trusted_find(const struct trusted_listener *list, size_t n, unsigned listener);
