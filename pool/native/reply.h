/* Makes frames of answers, ready to be sent. */
#pragma once

#include "proto/wire/answer.h"

#include <stdbool.h>

struct reply_bounds {
        size_t max;    /* bound on the message's size, unpacked */
        bool compress; /* the client can read LZ4 */
};

/* Encodes a, with its header, into fresh memory that the caller frees. -EMSGSIZE: the message is larger than
 * bounds->max. */
int reply_frame(struct answer *a, const struct reply_bounds *bounds, uint8_t **frame, size_t *len, struct err *e);

/* The same for a message that was encoded before, without its id. */
int reply_frame_made(uint64_t id, struct span made, const struct reply_bounds *bounds, uint8_t **frame, size_t *len,
                     struct err *e);
