/* FNV-1a: a hash that tells apart files and settings of one operator on one machine. No attacker chooses its input, so
 * it need not be strong. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FNV_START UINT64_C(14695981039346656037)

static inline uint64_t fnv_add(uint64_t hash, const void *data, size_t len)
{
        const unsigned char *bytes = data;
        for (size_t i = 0; i < len; i++)
                hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
        return hash;
}
