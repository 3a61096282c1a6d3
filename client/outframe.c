/* Requests as frames: see outframe.h. */
#include "client/outframe.h"

#include "proto/base/own.h"
#include "proto/wire/frame.h"
#include "proto/wire/lz4.h"

#include <errno.h>

int outframe_encode(const struct request *q, bool compress, uint8_t **frame, size_t *frame_len, struct err *e)
{
        OWN_MEM uint8_t *plain = NULL;
        OWN_MEM uint8_t *packed = NULL;
        size_t len = 0, packed_len = 0;
        struct request asking = *q;
        asking.lz4 = compress;
        int r = request_encode(&asking, WIRE_HEADER_SIZE, &plain, &len, e);
        if (r < 0)
                return r;
        if (len > UINT32_MAX)
                return err_say(e, EMSGSIZE, "a request of %zu bytes is more than a frame can hold", len);

        bool compressed = false;
        if (compress && len >= WIRE_COMPRESS_FROM) {
                r = lz4_pack(plain + WIRE_HEADER_SIZE, len, WIRE_HEADER_SIZE, &packed, &packed_len, e);
                if (r < 0)
                        return r;
                compressed = r == LZ4_OK;
        }
        if (compressed) {
                len = packed_len;
                *frame = own_steal_ptr(&packed);
        } else {
                *frame = own_steal_ptr(&plain);
        }
        frame_header(*frame, compressed, (uint32_t)len);
        *frame_len = WIRE_HEADER_SIZE + len;
        return 0;
}

int outframe_set_deadline(uint8_t **frame, size_t *frame_len, bool compress, uint64_t deadline_us, struct err *e)
{
        OWN_MEM uint8_t *plain = NULL;
        const uint8_t *message = *frame + WIRE_HEADER_SIZE;
        size_t len = *frame_len - WIRE_HEADER_SIZE;
        struct request q = { 0 };
        uint8_t *again = NULL;
        size_t again_len = 0;
        int r = 0;

        if ((*frame)[0] == WIRE_FLAG_LZ4) {
                r = lz4_unpack(message, len, UINT32_MAX, &plain, &len, e);
                message = plain;
        }
        if (r == 0)
                r = request_decode(&q, message, len, e);
        if (r == 0 && q.kind == REQUEST_EXECUTE) {
                q.execute.deadline_us = deadline_us;
                r = outframe_encode(&q, compress, &again, &again_len, e);
        }
        request_fini(&q);
        if (r < 0 || !again)
                return r;
        free(*frame);
        *frame = again;
        *frame_len = again_len;
        return 0;
}
