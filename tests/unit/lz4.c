/* Compression: data that the library packed comes back; frames of an attacker are refused. */
#include "proto/wire/lz4.h"

#include "proto/base/own.h"
#include "tests/unit/mutate.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <lz4frame.h>
#include <stdlib.h>

enum { MAX = 64 << 20 };

/* Offsets in a frame with content size. The size is after the magic number (4 bytes), FLG and BD. The header checksum
 * follows the size. */
enum { SIZE_AT = 6, HEADER_SUM_AT = 14, DESCRIPTOR_AT = 4 };

static uint32_t rotate(uint32_t x, int by)
{
        return x << by | x >> (32 - by);
}

/* xxHash-32 with seed 0 of fewer than 16 bytes. Its second byte is the checksum of a frame's header. */
static uint32_t header_hash(const uint8_t *data, size_t len)
{
        uint32_t h = 374761393u + (uint32_t)len;

        for (; len >= 4; data += 4, len -= 4) {
                uint32_t word =
                        (uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
                h = rotate(h + word * 3266489917u, 17) * 668265263u;
        }
        for (; len > 0; data++, len--)
                h = rotate(h + *data * 374761393u, 11) * 2654435761u;
        h = (h ^ h >> 15) * 2246822519u;
        h = (h ^ h >> 13) * 3266489917u;
        return h ^ h >> 16;
}

/* Writes another content size into a frame, with the matching header checksum. */
static void announce(uint8_t *frame, uint64_t size)
{
        for (int i = 0; i < 8; i++)
                frame[SIZE_AT + i] = (uint8_t)(size >> (8 * i));
        frame[HEADER_SUM_AT] = (uint8_t)(header_hash(frame + DESCRIPTOR_AT, HEADER_SUM_AT - DESCRIPTOR_AT) >> 8);
}

/* Bytes that compress to about a half. */
static uint8_t *some_bytes(size_t len)
{
        uint8_t *data = malloc(len ? len : 1);
        assert_non_null(data);
        uint32_t x = 1;
        for (size_t i = 0; i < len; i++) {
                x = x * 1664525 + 1013904223;
                data[i] = i % 16 < 8 ? 'a' : (uint8_t)(x >> 24);
        }
        return data;
}

static uint8_t *pack(const uint8_t *data, size_t len, const LZ4F_preferences_t *prefs, size_t *packed_len)
{
        size_t bound = LZ4F_compressFrameBound(len, prefs);
        uint8_t *packed = malloc(bound);
        assert_non_null(packed);
        *packed_len = LZ4F_compressFrame(packed, bound, data, len, prefs);
        assert_false(LZ4F_isError(*packed_len));
        return packed;
}

static void assert_unpack_refused(const uint8_t *data, size_t len, size_t max, int code, const char *word)
{
        uint8_t *out = NULL;
        size_t out_len = 0;
        struct err e = { 0 };
        int r = lz4_unpack(data, len, max, &out, &out_len, &e);
        assert_refused(r, &e, code, word);
        assert_null(out);
}

static void what_is_packed_comes_back(void **state)
{
        (void)state;
        const size_t sizes[] = { 1024, 1025, 65536, 1 << 20, 40 << 20 };
        enum { ROOM = 5 };

        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                OWN_MEM uint8_t *data = some_bytes(sizes[i]), *packed = NULL, *back = NULL;
                size_t packed_len, back_len;
                struct err e = { 0 };
                assert_int_equal(lz4_pack(data, sizes[i], ROOM, &packed, &packed_len, &e), LZ4_OK);
                assert_true(packed_len < sizes[i]);
                memset(packed, 0xee, ROOM);
                assert_int_equal(lz4_unpack(packed + ROOM, packed_len, sizes[i], &back, &back_len, &e), LZ4_OK);
                assert_int_equal(back_len, sizes[i]);
                assert_true(memcmp(back, data, back_len) == 0);
        }
}

static void what_would_not_shrink_is_not_packed(void **state)
{
        (void)state;
        uint8_t noise[4096], *packed = NULL;
        size_t len;
        struct err e = { 0 };
        uint64_t x = 88172645463325252u;
        for (size_t i = 0; i < sizeof noise; i++) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                noise[i] = (uint8_t)(x >> 32);
        }
        assert_int_equal(lz4_pack(noise, sizeof noise, 0, &packed, &len, &e), LZ4_NO_GAIN);
        assert_int_equal(lz4_pack(noise, 0, 0, &packed, &len, &e), LZ4_NO_GAIN);
        assert_null(packed);
}

static void frames_of_every_option_are_read(void **state)
{
        (void)state;
        enum { LEN = 300000 };
        OWN_MEM uint8_t *data = some_bytes(LEN);
        for (int n = 0; n < 32; n++) {
                LZ4F_preferences_t prefs = LZ4F_INIT_PREFERENCES;
                prefs.frameInfo.contentSize = LEN;
                prefs.frameInfo.blockMode = n & 1 ? LZ4F_blockIndependent : LZ4F_blockLinked;
                prefs.frameInfo.contentChecksumFlag = n & 2 ? LZ4F_contentChecksumEnabled : LZ4F_noContentChecksum;
                prefs.frameInfo.blockChecksumFlag = n & 4 ? LZ4F_blockChecksumEnabled : LZ4F_noBlockChecksum;
                prefs.frameInfo.blockSizeID = n & 8 ? LZ4F_max4MB : LZ4F_max64KB;
                prefs.compressionLevel = n & 16 ? 9 : 0;

                OWN_MEM uint8_t *back = NULL;
                size_t len, back_len;
                struct err e = { 0 };
                OWN_MEM uint8_t *packed = pack(data, LEN, &prefs, &len);
                assert_int_equal(lz4_unpack(packed, len, MAX, &back, &back_len, &e), LZ4_OK);
                assert_int_equal(back_len, LEN);
                assert_true(memcmp(back, data, LEN) == 0);
        }
}

static void empty_content_with_its_size_is_empty(void **state)
{
        (void)state;
        /* Magic number, FLG with content size, BD, size 0, header checksum, end mark. */
        uint8_t frame[] = { 0x04, 0x22, 0x4d, 0x18, 0x68, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
        announce(frame, 0);
        uint8_t *out = NULL;
        size_t len = 1;
        struct err e = { 0 };
        assert_int_equal(lz4_unpack(frame, sizeof frame, MAX, &out, &len, &e), LZ4_OK);
        assert_int_equal(len, 0);
        free(out);
}

static void a_frame_without_its_content_size_is_refused(void **state)
{
        (void)state;
        size_t len;
        OWN_MEM uint8_t *packed = pack((const uint8_t *)"hello, hello, hello", 19, NULL, &len);
        assert_unpack_refused(packed, len, MAX, EPROTO, "content size");

        OWN_MEM uint8_t *empty = pack((const uint8_t *)"", 0, NULL, &len);
        assert_unpack_refused(empty, len, MAX, EPROTO, "content size");
}

/* A frame of about 4 KiB, whose content is 1 MiB of zeros. */
static uint8_t *bomb(size_t *len)
{
        LZ4F_preferences_t prefs = LZ4F_INIT_PREFERENCES;
        prefs.frameInfo.contentSize = 1 << 20;
        OWN_MEM uint8_t *zeros = calloc(1, 1 << 20);
        assert_non_null(zeros);
        return pack(zeros, 1 << 20, &prefs, len);
}

static void a_bomb_that_announces_itself_is_refused(void **state)
{
        (void)state;
        size_t len, out_len;
        OWN_MEM uint8_t *frame = bomb(&len), *out = NULL;
        struct err e = { 0 };

        assert_unpack_refused(frame, len, (1 << 20) - 1, EMSGSIZE, "ceiling of 1048575 bytes");
        assert_int_equal(lz4_unpack(frame, len, 1 << 20, &out, &out_len, &e), LZ4_OK);
        announce(frame, UINT64_MAX);
        assert_unpack_refused(frame, len, MAX, EMSGSIZE, "ceiling");
        announce(frame, UINT64_MAX);
        assert_unpack_refused(frame, len, SIZE_MAX, EPROTO, "than its frame can hold");
}

static void a_bomb_that_announces_less_is_refused(void **state)
{
        (void)state;
        const size_t lies[] = { 0, 1, 100, 65536, (1 << 20) - 1 };
        size_t len;
        OWN_MEM uint8_t *frame = bomb(&len);
        for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
                announce(frame, lies[i]);
                assert_unpack_refused(frame, len, MAX, EPROTO, "compressed message");
        }
}

static void a_frame_that_announces_more_than_it_has_is_refused(void **state)
{
        (void)state;
        size_t len;
        OWN_MEM uint8_t *frame = bomb(&len);
        announce(frame, (1 << 20) + 1);
        assert_unpack_refused(frame, len, MAX, EPROTO, "compressed message");
        announce(frame, 60 << 20);
        assert_unpack_refused(frame, len, MAX, EPROTO, "than its frame can hold");
}

static void what_follows_a_frame_is_refused(void **state)
{
        (void)state;
        size_t len;
        OWN_MEM uint8_t *frame = bomb(&len);
        OWN_MEM uint8_t *longer = malloc(2 * len);
        assert_non_null(longer);
        memcpy(longer, frame, len);
        memcpy(longer + len, frame, len);
        assert_unpack_refused(longer, len + 1, MAX, EPROTO, "size");
        assert_unpack_refused(longer, 2 * len, MAX, EPROTO, "size");
}

static void what_is_no_frame_is_refused(void **state)
{
        (void)state;
        const uint8_t skippable[] = { 0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4 };
        assert_unpack_refused((const uint8_t *)"", 0, MAX, EPROTO, "LZ4");
        assert_unpack_refused((const uint8_t *)"GET / HTTP/1.1\r\n\r\n", 18, MAX, EPROTO, "no LZ4 frame");
        assert_unpack_refused(skippable, sizeof skippable, MAX, EPROTO, "skippable");
}

static void a_frame_that_wants_a_dictionary_is_refused(void **state)
{
        (void)state;
        LZ4F_preferences_t prefs = LZ4F_INIT_PREFERENCES;
        prefs.frameInfo.contentSize = 19;
        prefs.frameInfo.dictID = 7;
        size_t len;
        OWN_MEM uint8_t *packed = pack((const uint8_t *)"hello, hello, hello", 19, &prefs, &len);
        assert_unpack_refused(packed, len, MAX, EPROTO, "dictionary 7");
}

static void check_is_refused(const uint8_t *data, size_t len)
{
        assert_unpack_refused(data, len, MAX, EPROTO, "compressed message");
}

static void check_is_bounded(const uint8_t *data, size_t len)
{
        enum { CEILING = 10000 };
        uint8_t *out = NULL;
        size_t out_len = 0;
        struct err e = { 0 };
        int r = lz4_unpack(data, len, CEILING, &out, &out_len, &e);
        assert_true(r == LZ4_OK || r == -EPROTO || r == -EMSGSIZE);
        if (r == LZ4_OK)
                assert_true(out_len <= CEILING);
        else
                assert_true(e.text[0] != '\0');
        free(out);
}

static void a_damaged_frame_is_refused_or_stays_in_bounds(void **state)
{
        (void)state;
        size_t len;
        OWN_MEM uint8_t *data = some_bytes(2000), *packed = NULL;
        struct err e = { 0 };
        assert_int_equal(lz4_pack(data, 2000, 0, &packed, &len, &e), LZ4_OK);
        mutate_truncate(packed, len, check_is_refused);
        mutate_flip(packed, len, 1, 20000, check_is_bounded);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_packed_comes_back),
                cmocka_unit_test(what_would_not_shrink_is_not_packed),
                cmocka_unit_test(frames_of_every_option_are_read),
                cmocka_unit_test(empty_content_with_its_size_is_empty),
                cmocka_unit_test(a_frame_without_its_content_size_is_refused),
                cmocka_unit_test(a_bomb_that_announces_itself_is_refused),
                cmocka_unit_test(a_bomb_that_announces_less_is_refused),
                cmocka_unit_test(a_frame_that_announces_more_than_it_has_is_refused),
                cmocka_unit_test(what_follows_a_frame_is_refused),
                cmocka_unit_test(what_is_no_frame_is_refused),
                cmocka_unit_test(a_frame_that_wants_a_dictionary_is_refused),
                cmocka_unit_test(a_damaged_frame_is_refused_or_stays_in_bounds),
        };
        return cmocka_run_group_tests_name("lz4", tests, NULL, NULL);
}
