/* Fuzzes compression: proto/wire/lz4. Every input is unpacked as if it were a frame, and packed as if it were a
 * message. */
#include "proto/wire/lz4.h"

#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX = 1 << 20, ROOM = 5 };

static void check_packing(const uint8_t *data, size_t len)
{
        struct err e = { 0 };
        uint8_t *packed = NULL, *back = NULL;
        size_t packed_len = 0, back_len = 0;
        int r = lz4_pack(data, len, ROOM, &packed, &packed_len, &e);
        if (r == LZ4_NO_GAIN)
                return;
        FUZZ_CHECK(r == LZ4_OK && packed_len < len);
        FUZZ_CHECK(lz4_unpack(packed + ROOM, packed_len, len, &back, &back_len, &e) == LZ4_OK);
        FUZZ_CHECK(back_len == len && memcmp(back, data, len) == 0);
        free(back);
        back = NULL;
        FUZZ_CHECK(lz4_unpack(packed + ROOM, packed_len, len - 1, &back, &back_len, &e) == -EMSGSIZE);
        FUZZ_CHECK(!back);
        free(packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct err e = { 0 };
        uint8_t *frame = fuzz_copy(data, size), *message = NULL;
        size_t len = 0;
        int r = lz4_unpack(frame, size, MAX, &message, &len, &e);
        if (r == LZ4_OK) {
                FUZZ_CHECK(message && len <= MAX);
                check_packing(message, len);
        } else {
                FUZZ_CHECK((r == -EPROTO || r == -EMSGSIZE) && e.code == -r && e.text[0] != '\0' && !message);
        }
        free(message);
        check_packing(frame, size);
        free(frame);
        return 0;
}
