/* Fuzzes the server's end of a connection: proto/wire/frame, pool/native/inbox. The stream arrives in pieces of any
 * size; some pieces are read directly into the memory of a large frame. The frames must be the same as when the stream
 * is read at once. Input: the stream, then one byte that seeds the sizes of pieces. */
#include "pool/native/inbox.h"

#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX = 1 << 16 };

/* Returns the size of the frame at the start of a complete stream, with its header; 0 if the frame is not whole; -1 if
 * there is no frame. */
static int64_t whole_frame(const uint8_t *data, size_t len)
{
        if (len > 0 && data[0] > 1)
                return -1;
        if (len < 5)
                return 0;
        uint32_t length = (uint32_t)data[1] << 24 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 8 | data[4];
        if (length > MAX)
                return -1;
        return len - 5 < length ? 0 : 5 + (int64_t)length;
}

static void check_frame(const struct frame *f, uint8_t *body, struct fuzz_input *expected)
{
        int64_t size = whole_frame(expected->data, expected->len);
        FUZZ_CHECK(size > 0 && f->length == (uint32_t)size - 5 && f->compressed == (expected->data[0] == 1));
        FUZZ_CHECK(f->length == 0 || memcmp(body, expected->data + 5, f->length) == 0);
        free(body);
        expected->data += size;
        expected->len -= (size_t)size;
}

/* Gives the inbox one piece, as connection_read.c does. */
static int take_piece(struct inbox *in, const uint8_t *piece, size_t len, struct fuzz_input *expected, struct err *e)
{
        struct frame f;
        uint8_t *body = NULL;
        size_t room = 0;
        uint8_t *direct = inbox_direct(in, &room);
        if (direct) {
                size_t n = room < len ? room : len;
                memcpy(direct, piece, n);
                int r = inbox_filled(in, n, &f, &body, e);
                if (r == INBOX_FRAME)
                        check_frame(&f, body, expected);
                if (r < 0)
                        return r;
                piece += n;
                len -= n;
        }
        int r;
        while ((r = inbox_take(in, &piece, &len, MAX, &f, &body, e)) == INBOX_FRAME)
                check_frame(&f, body, expected);
        FUZZ_CHECK(r < 0 || len == 0);
        return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct fuzz_input stream = { data, size ? size - 1 : 0 };
        uint32_t state = size ? data[size - 1] + 1u : 1;
        struct fuzz_input expected = stream;
        struct inbox in = { 0 };
        struct err e = { 0 };
        int r = 0;

        while (stream.len > 0 && r >= 0) {
                state = state * 1103515245u + 12345u;
                size_t n = 1 + (state >> 16) % (state & 1 ? 7 : 5000);
                if (n > stream.len)
                        n = stream.len;
                uint8_t *piece = fuzz_copy(stream.data, n);
                r = take_piece(&in, piece, n, &expected, &e);
                free(piece);
                stream.data += n;
                stream.len -= n;
        }

        int64_t rest = whole_frame(expected.data, expected.len);
        if (r < 0)
                FUZZ_CHECK((r == -EPROTO || r == -EMSGSIZE) && rest == -1 && e.text[0] != '\0');
        else
                FUZZ_CHECK(rest == 0 && inbox_is_partial(&in) == (expected.len > 0));
        inbox_fini(&in);
        return 0;
}
