/* Answers as frames: see reply.h. */
#include "pool/reply.h"

#include "proto/frame.h"
#include "proto/lz4.h"
#include "proto/own.h"
#include "proto/wire.h"

#include <errno.h>

/* Packing runs at about 300 bytes per us, in the one loop that serves all clients: 1 MiB keeps the others waiting for 3
 * ms, which is as much as a client's bandwidth is worth. */
enum { COMPRESS_UP_TO = 1 << 20 };

int reply_frame(struct answer *a, const struct reply_bounds *bounds, uint8_t **frame, size_t *len, struct err *e)
{
        OWN_MEM uint8_t *plain = NULL;
        OWN_MEM uint8_t *packed = NULL;
        size_t plain_len, packed_len;

        int r = answer_encode(a, WIRE_HEADER_SIZE, &plain, &plain_len, e);
        if (r < 0)
                return r;
        if (plain_len > bounds->max)
                return err_say(
                        e, EMSGSIZE,
                        "the result has %zu bytes, over this server's ceiling of %zu; ask for less output or fewer files",
                        plain_len, bounds->max);

        bool pack = bounds->compress && plain_len >= WIRE_COMPRESS_FROM && plain_len <= COMPRESS_UP_TO;
        if (pack) {
                r = lz4_pack(plain + WIRE_HEADER_SIZE, plain_len, WIRE_HEADER_SIZE, &packed, &packed_len, e);
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
