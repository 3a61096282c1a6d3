/* The identity of a compiler: one word for the compiler and for all that it reads on the host. So output of one
 * compiler is never served in place of another's. A replaced file has another time or size. A version is not enough: a
 * package's revision changes headers and libraries, but not the compiler's version.
 *
 * The word is found at the start, at each reload, and when packages have changed. The keys of compiled programs and the
 * names of prepared directories hold it. When it changes, the language gets a new zygote. */
#pragma once

#include "pool/config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IDENTITY_SIZE = 17 };

/* Patterns that were looked at already: languages read the same directories. Zeroed at first. */
struct identity_seen {
        struct {
                const char *pattern; /* borrowed */
                uint64_t hash;
        } at[64];
        size_t n;
};

/* Does this runtime need an identity? */
bool identity_is_of_use(const struct config_runtime *r);

void identity_find(const struct config_runtime *r, struct identity_seen *seen, char text[IDENTITY_SIZE]);
