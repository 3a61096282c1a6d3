/* Puts the frames of one client together from arriving bytes. It holds at most one unfinished frame, whose memory grows
 * with the bytes that came, not with the announced length. Pure over buffers. */
#pragma once

#include "proto/base/err.h"
#include "proto/wire/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INBOX_MORE = 0, INBOX_FRAME = 1 };

struct inbox {
        uint8_t header[WIRE_HEADER_SIZE];
        size_t header_have;
        struct frame frame; /* valid once the header is whole */
        uint8_t *body;
        size_t have, room;
};

void inbox_fini(struct inbox *in);

/* A frame has begun, and is not whole yet. */
bool inbox_is_partial(const struct inbox *in);

/* Takes bytes from *data (moving it and *len on) until a frame is whole or nothing is left. INBOX_FRAME: *body is the
 * message in memory that the caller frees, *f holds its length and whether it is packed; *data may hold more. Negative:
 * the stream is broken (-EPROTO, -EMSGSIZE) or memory is out. */
int inbox_take(struct inbox *in, const uint8_t **data, size_t *len, uint32_t max, struct frame *f, uint8_t **body,
               struct err *e);

/* Within the body of a large frame: returns where to read its next bytes directly, and sets *room to their number. NULL
 * otherwise. After the read, call inbox_filled, which returns the same values as inbox_take. */
uint8_t *inbox_direct(struct inbox *in, size_t *room);
int inbox_filled(struct inbox *in, size_t n, struct frame *f, uint8_t **body, struct err *e);
