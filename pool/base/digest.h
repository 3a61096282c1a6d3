/* SHA-256 over pieces. It makes the key of a compile cache entry, and checks the entry's contents. */
#pragma once

#include "proto/base/span.h"

#include <nettle/sha2.h>
#include <stddef.h>
#include <stdint.h>

enum { DIGEST_SIZE = SHA256_DIGEST_SIZE };

struct digest {
        struct sha256_ctx sha;
};

static inline void digest_init(struct digest *d)
{
        sha256_init(&d->sha);
}

/* Adds the bytes without their length. */
static inline void digest_bytes(struct digest *d, const void *data, size_t len)
{
        if (len > 0)
                sha256_update(&d->sha, len, data);
}

static inline void digest_number(struct digest *d, uint64_t n)
{
        digest_bytes(d, &n, sizeof n);
}

/* Adds the length and then the bytes, so that two different sequences of pieces never give the same bytes. */
static inline void digest_span(struct digest *d, struct span s)
{
        digest_number(d, s.len);
        digest_bytes(d, s.data, s.len);
}

static inline void digest_text(struct digest *d, const char *text)
{
        digest_span(d, span_of_text(text));
}

static inline void digest_end(struct digest *d, uint8_t out[DIGEST_SIZE])
{
        sha256_digest(&d->sha, DIGEST_SIZE, out);
}
