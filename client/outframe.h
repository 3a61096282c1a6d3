/* A request as one frame, ready for the socket. */
#pragma once

#include "proto/base/err.h"
#include "proto/wire/request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes the frame in fresh memory that the caller frees. With compress the frame allows the server to compress its
 * answers, and is itself compressed if that is worth the time. */
int outframe_encode(const struct request *q, bool compress, uint8_t **frame, size_t *frame_len, struct err *e);

/* The same frame with another deadline, for a request that has waited in memory. On success *frame is replaced; on
 * failure it stays as it is. 0 or a negative errno. */
int outframe_set_deadline(uint8_t **frame, size_t *frame_len, bool compress, uint64_t deadline_us, struct err *e);
