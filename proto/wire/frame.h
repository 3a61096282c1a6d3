/* Framing: gRPC's length-prefixed message, as pure functions over buffers. */
#pragma once

#include "proto/base/err.h"
#include "proto/wire/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAME_OK = 0, FRAME_MORE = 1 };

struct frame {
        bool compressed;
        uint32_t length; /* of the message that follows the header */
};

/* Reads the header at the start of have bytes. FRAME_OK: f is filled (the message itself may not be there yet).
 * FRAME_MORE: there are fewer than WIRE_HEADER_SIZE bytes, and none of them is wrong. -EPROTO: an unknown flag.
 * -EMSGSIZE: the message is longer than max. After an error the stream can't be resynchronised. */
int frame_parse(struct frame *f, const uint8_t *data, size_t have, uint32_t max, struct err *e);

/* Writes the header of a message of length bytes. */
void frame_header(uint8_t out[WIRE_HEADER_SIZE], bool compressed, uint32_t length);
