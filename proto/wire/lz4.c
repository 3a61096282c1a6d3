/* Compression: see lz4.h. */
#include "proto/wire/lz4.h"

#include "proto/base/own.h"

#include <errno.h>
#include <lz4frame.h>
#include <stdbool.h>
#include <stdlib.h>

/* Reads the size of the content that the frame announces. The size is checked against max, and against the most that
 * the frame could hold (LZ4 packs at most 255:1). Moves *used past the frame header. */
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

        /* The library reports a missing size as 0. Bit 3 of the FLG byte tells a missing size from the size 0. */
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

struct lz4_unpacker {
        LZ4F_dctx *d;
        const uint8_t *data;
        size_t len, used;
        uint8_t *content; /* allocated by the first step */
        size_t size, filled;
};

int lz4_unpacker_new(struct lz4_unpacker **out, const uint8_t *data, size_t len, size_t max, struct err *e)
{
        struct lz4_unpacker *u = calloc(1, sizeof *u);
        if (!u || LZ4F_isError(LZ4F_createDecompressionContext(&u->d, LZ4F_VERSION))) {
                free(u);
                return err_set(e, ENOMEM, "lz4");
        }
        u->data = data;
        u->len = len;
        int r = announced_size(u->d, data, len, max, &u->used, &u->size, e);
        if (r < 0) {
                lz4_unpacker_free(u);
                return r;
        }
        *out = u;
        return 0;
}

void lz4_unpacker_free(struct lz4_unpacker *u)
{
        if (!u)
                return;
        LZ4F_freeDecompressionContext(u->d);
        free(u->content);
        free(u);
}

size_t lz4_unpacker_size(const struct lz4_unpacker *u)
{
        return u->size;
}

int lz4_unpacker_step(struct lz4_unpacker *u, size_t bytes, uint8_t **out, size_t *out_len, struct err *e)
{
        /* The content stays in place until the end, so the library need not copy history between steps. */
        static const LZ4F_decompressOptions_t options = { .stableDst = 1 };

        if (!u->content)
                u->content = malloc(u->size ? u->size : 1);
        if (!u->content)
                return err_set(e, ENOMEM, "a compressed message of %zu bytes", u->size);

        size_t left = u->len - u->used, take = left < bytes ? left : bytes, give = u->size - u->filled;
        size_t hint = LZ4F_decompress(u->d, u->content + u->filled, &give, u->data + u->used, &take, &options);
        if (LZ4F_isError(hint))
                return err_say(e, EPROTO, "a compressed message is damaged (%s)", LZ4F_getErrorName(hint));
        u->used += take;
        u->filled += give;
        if (hint != 0 && take == 0 && give == 0)
                return err_say(e, EPROTO, "a compressed message is cut short or longer than it announces");
        if (hint != 0)
                return LZ4_MORE;
        if (u->filled != u->size || u->used != u->len)
                return err_say(e, EPROTO, "a compressed message does not have the size that it announces");

        *out = own_steal_ptr(&u->content);
        *out_len = u->size;
        return LZ4_OK;
}

int lz4_unpack(const uint8_t *data, size_t len, size_t max, uint8_t **out, size_t *out_len, struct err *e)
{
        struct lz4_unpacker *u = NULL;
        int r = lz4_unpacker_new(&u, data, len, max, e);
        if (u)
                do
                        r = lz4_unpacker_step(u, len, out, out_len, e);
                while (r == LZ4_MORE);
        lz4_unpacker_free(u);
        return r;
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
