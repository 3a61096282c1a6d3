/* The identity of a compiler: a hash of the compiler and of all that it reads on the host. So a program that one
 * compiler made is never served as the result of another. A replaced file has another time or size. A version is not
 * enough: a package's revision changes headers and libraries, but not the compiler's version.
 *
 * The identity is computed at the start, at each reload, and when packages have changed. It is part of the keys of
 * compiled programs and of the names of prepared directories. When it changes, the language gets a new zygote. */
#pragma once

#include "pool/config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IDENTITY_SIZE = 17 };

/* The words of the key "reads" that were hashed already, each with the hash of the files that match it. Several
 * languages read the same directories, so each word is hashed once. Must be zeroed at first. */
struct identity_seen {
        struct {
                const char *pattern; /* borrowed */
                uint64_t hash;
        } at[64];
        size_t n;
};

/* True if this runtime needs an identity. */
bool identity_is_of_use(const struct config_runtime *r);

void identity_find(const struct config_runtime *r, struct identity_seen *seen, char text[IDENTITY_SIZE]);
