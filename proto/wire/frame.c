/* Framing: see frame.h. */
#include "proto/wire/frame.h"

#include <errno.h>

int frame_parse(struct frame *f, const uint8_t *data, size_t have, uint32_t max, struct err *e)
{
        if (have >= 1 && data[0] != WIRE_FLAG_PLAIN && data[0] != WIRE_FLAG_LZ4)
                return err_say(
                        e, EPROTO,
                        "the first byte of a frame is 0 (plain) or 1 (LZ4), not %u; is this Hatchery's protocol?",
                        data[0]);
        if (have < WIRE_HEADER_SIZE)
                return FRAME_MORE;

        uint32_t length = (uint32_t)data[1] << 24 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 8 | data[4];
        if (length > max)
                return err_say(e, EMSGSIZE, "a frame of %u bytes is over this side's ceiling of %u bytes", length, max);

        f->compressed = data[0] == WIRE_FLAG_LZ4;
        f->length = length;
        return FRAME_OK;
}

void frame_header(uint8_t out[WIRE_HEADER_SIZE], bool compressed, uint32_t length)
{
        out[0] = compressed ? WIRE_FLAG_LZ4 : WIRE_FLAG_PLAIN;
        out[1] = (uint8_t)(length >> 24);
        out[2] = (uint8_t)(length >> 16);
        out[3] = (uint8_t)(length >> 8);
        out[4] = (uint8_t)length;
}
