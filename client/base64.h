/* Base64 (RFC 4648, with padding), for bytes in JSON. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Encodes the bytes. Returns memory that the caller frees, NUL-terminated; *out_len does not count the NUL. NULL: out
 * of memory. */
char *base64_encode(const uint8_t *data, size_t len, size_t *out_len);
