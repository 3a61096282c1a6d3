/* Compression: see lz4.h. */
#include "proto/lz4.h"

#include "proto/own.h"

#include <errno.h>
#include <lz4frame.h>
#include <stdbool.h>

static void free_decompressor(LZ4F_dctx **d)
{
        LZ4F_freeDecompressionContext(*d);
}

/* The frame's own word about its content, checked against what the frame could hold at all (LZ4 can't exceed 255:1) and
 * against max. Moves *used past the frame header. */
static int announced_size(LZ4F_dctx *d, const uint8_t *data, size_t len, size_t max, size_t *used, size_t *size,
                          struct err *e)
{
        LZ4F_frameInfo_t info = LZ4F_INIT_FRAMEINFO;
        size_t header = len;
        size_t rc = LZ4F_getFrameInfo(d, &info, data, &header);
        if (LZ4F_isError(rc))
                return err_say(e, EPROTO, "a compressed message is no LZ4 frame (%s)", LZ4F_getErrorName(rc));
        if (info.frameType != LZ4F_frame)
                return err_say(e, EPROTO, "a compressed message is a skippable LZ4 frame, which carries nothing");
        if (info.dictID != 0)
                return err_say(e, EPROTO,
                               "a compressed message wants LZ4 dictionary %u; dictionaries are not used here",
                               info.dictID);

        /* The library reports an absent size as 0: bit 3 of the FLG byte tells the two apart. */
        bool has_size = len > 4 && (data[4] & 0x08) != 0;
        if (!has_size)
                return err_say(e, EPROTO, "a compressed message does not carry its content size");
        if (info.contentSize > max)
                return err_say(e, EMSGSIZE,
                               "a compressed message of %llu bytes is over this side's ceiling of %zu bytes",
                               (unsigned long long)info.contentSize, max);
        if (info.contentSize / 255 > len)
                return err_say(e, EPROTO, "a compressed message announces more bytes than its frame can hold");

        *used = header;
        *size = (size_t)info.contentSize;
        return 0;
}

int lz4_unpack(const uint8_t *data, size_t len, size_t max, uint8_t **out, size_t *out_len, struct err *e)
{
        __attribute__((cleanup(free_decompressor))) LZ4F_dctx *d = NULL;
        size_t rc = LZ4F_createDecompressionContext(&d, LZ4F_VERSION);
        if (LZ4F_isError(rc))
                return err_set(e, ENOMEM, "lz4");

        size_t used = 0, size = 0;
        int r = announced_size(d, data, len, max, &used, &size, e);
        if (r < 0)
                return r;

        OWN_MEM uint8_t *content = malloc(size ? size : 1);
        if (!content)
                return err_set(e, ENOMEM, "a compressed message of %zu bytes", size);

        size_t filled = 0;
        size_t hint = 1;
        while (hint != 0) {
                size_t take = len - used, give = size - filled;
                hint = LZ4F_decompress(d, content + filled, &give, data + used, &take, NULL);
                if (LZ4F_isError(hint))
                        return err_say(e, EPROTO, "a compressed message is damaged (%s)", LZ4F_getErrorName(hint));
                used += take;
                filled += give;
                if (hint != 0 && take == 0 && give == 0)
                        return err_say(e, EPROTO, "a compressed message is cut short or longer than it announces");
        }
        if (filled != size || used != len)
                return err_say(e, EPROTO, "a compressed message does not have the size that it announces");

        *out = own_steal_ptr(&content);
        *out_len = size;
        return LZ4_OK;
}

int lz4_pack(const uint8_t *data, size_t len, size_t room, uint8_t **out, size_t *out_len, struct err *e)
{
        LZ4F_preferences_t prefs = LZ4F_INIT_PREFERENCES;
        prefs.frameInfo.contentSize = len;

        size_t bound = LZ4F_compressFrameBound(len, &prefs);
        OWN_MEM uint8_t *packed = malloc(room + bound);
        if (!packed)
                return err_set(e, ENOMEM, "compressing %zu bytes", len);

        size_t n = LZ4F_compressFrame(packed + room, bound, data, len, &prefs);
        if (LZ4F_isError(n))
                return err_say(e, EIO, "lz4: %s", LZ4F_getErrorName(n));
        if (n >= len)
                return LZ4_NO_GAIN;

        *out = own_steal_ptr(&packed);
        *out_len = n;
        return LZ4_OK;
}
