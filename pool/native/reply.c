/* Answers as frames: see reply.h. */
#include "pool/native/reply.h"

#include "proto/base/limit.h"
#include "proto/base/own.h"
#include "proto/wire/frame.h"
#include "proto/wire/lz4.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <pb_encode.h>
#include <string.h>

/* Larger messages are not packed. Packing runs at about 300 bytes per us, in the one loop that serves all clients. So 1
 * MiB makes the other clients wait for 3 ms. Saving one client's bandwidth is not worth a longer wait. */
enum { COMPRESS_UP_TO = 1 << 20 };

/* message has room for the header at its start. It is taken over, even after an error. */
static int finish(uint8_t *message, size_t plain_len, const struct reply_bounds *bounds, uint8_t **frame, size_t *len,
                  struct err *e)
{
        OWN_MEM uint8_t *plain = message;
        OWN_MEM uint8_t *packed = NULL;
        size_t packed_len;

        char most[LIMIT_TEXT_SIZE];
        if (plain_len > bounds->max)
                return err_say(
                        e, EMSGSIZE,
                        "the result has %zu bytes, and %s at most here (max_answer_bytes); ask for less output or fewer "
                        "files",
                        plain_len, limit_text(most, LIMIT_UNIT_BYTES, (int64_t)bounds->max));

        bool pack = bounds->compress && plain_len >= WIRE_COMPRESS_FROM && plain_len <= COMPRESS_UP_TO;
        if (pack) {
                int r = lz4_pack(plain + WIRE_HEADER_SIZE, plain_len, WIRE_HEADER_SIZE, &packed, &packed_len, e);
                if (r < 0)
                        return r;
                if (r == LZ4_OK) {
                        frame_header(packed, true, (uint32_t)packed_len);
                        *frame = own_steal_ptr(&packed);
                        *len = WIRE_HEADER_SIZE + packed_len;
                        return 0;
                }
        }
        frame_header(plain, false, (uint32_t)plain_len);
        *frame = own_steal_ptr(&plain);
        *len = WIRE_HEADER_SIZE + plain_len;
        return 0;
}

int reply_frame(struct answer *a, const struct reply_bounds *bounds, uint8_t **frame, size_t *len, struct err *e)
{
        uint8_t *plain;
        size_t plain_len;

        int r = answer_encode(a, WIRE_HEADER_SIZE, &plain, &plain_len, e);
        return r < 0 ? r : finish(plain, plain_len, bounds, frame, len, e);
}

int reply_frame_made(uint64_t id, struct span made, const struct reply_bounds *bounds, uint8_t **frame, size_t *len,
                     struct err *e)
{
        enum { ID_MAX = 11 }; /* a byte of tag, ten of number */
        uint8_t *plain = malloc(WIRE_HEADER_SIZE + ID_MAX + made.len);
        if (!plain)
                return err_set(e, ENOMEM, "an answer of %zu bytes", made.len);

        pb_ostream_t out = pb_ostream_from_buffer(plain + WIRE_HEADER_SIZE, ID_MAX);
        if (!pb_encode_tag(&out, PB_WT_VARINT, hatchery_v1_ServerMessage_id_tag) || !pb_encode_varint(&out, id)) {
                free(plain);
                return err_say(e, EINVAL, "an id can't be encoded (%s)", PB_GET_ERROR(&out));
        }
        memcpy(plain + WIRE_HEADER_SIZE + out.bytes_written, made.data, made.len);
        return finish(plain, out.bytes_written + made.len, bounds, frame, len, e);
}
