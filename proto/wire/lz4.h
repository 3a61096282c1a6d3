/* Compression of one message as one LZ4 frame with its content size, the format of the lz4 command and of every
 * language's lz4 library. */
#pragma once

#include "proto/base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { LZ4_OK = 0, LZ4_NO_GAIN = 1, LZ4_MORE = 2 };

/* Unpacks a whole frame into fresh memory that the caller frees. The announced size is compared with max before
 * anything is allocated, and the content must then have that size. -EMSGSIZE: over max. -EPROTO: malformed, without a
 * size, longer or shorter than announced, or followed by more bytes. *out_len may be 0; *out must be freed even then.
 */
int lz4_unpack(const uint8_t *data, size_t len, size_t max, uint8_t **out, size_t *out_len, struct err *e);

/* The same in pieces, for callers that do other work between the steps. data is borrowed until lz4_unpacker_free. The
 * constructor checks the announced size, and allocates no memory for the content. */
struct lz4_unpacker;
int lz4_unpacker_new(struct lz4_unpacker **out, const uint8_t *data, size_t len, size_t max, struct err *e);
void lz4_unpacker_free(struct lz4_unpacker *u);

/* The announced size. */
size_t lz4_unpacker_size(const struct lz4_unpacker *u);

/* Takes at most this many bytes of data. Returns LZ4_MORE, or at the end the same as lz4_unpack. One step may unpack a
 * whole block of the format (4 MiB at most), or 255 times the bytes that it takes, whichever is less. */
int lz4_unpacker_step(struct lz4_unpacker *u, size_t bytes, uint8_t **out, size_t *out_len, struct err *e);

/* Packs into fresh memory that the caller frees, leaving room bytes free at its start (for a frame header); *out_len
 * counts the packed bytes alone. LZ4_NO_GAIN: the data would not shrink, and nothing was allocated. */
int lz4_pack(const uint8_t *data, size_t len, size_t room, uint8_t **out, size_t *out_len, struct err *e);
