/* Framing. */
#include "proto/wire/frame.h"

#include "tests/unit/unit.h"

#include <errno.h>

enum { CEILING = 1000 };

static void a_header_says_what_was_written(void **state)
{
        (void)state;
        const uint32_t lengths[] = { 0, 1, 255, 256, 65535, 65536, 16 << 20, UINT32_MAX };
        struct err e = { 0 };

        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
                for (int compressed = 0; compressed <= 1; compressed++) {
                        uint8_t header[WIRE_HEADER_SIZE];
                        struct frame f;
                        frame_header(header, compressed, lengths[i]);
                        assert_int_equal(frame_parse(&f, header, sizeof header, UINT32_MAX, &e), FRAME_OK);
                        assert_int_equal(f.compressed, compressed);
                        assert_int_equal(f.length, lengths[i]);
                }
        }
}

static void the_length_is_big_endian(void **state)
{
        (void)state;
        uint8_t header[WIRE_HEADER_SIZE];
        const uint8_t want[] = { 1, 0x12, 0x34, 0x56, 0x78 };
        frame_header(header, true, 0x12345678);
        assert_memory_equal(header, want, sizeof want);
}

static void a_header_may_come_byte_by_byte(void **state)
{
        (void)state;
        uint8_t header[WIRE_HEADER_SIZE];
        struct frame f;
        struct err e = { 0 };

        frame_header(header, false, 77);
        for (size_t have = 0; have < WIRE_HEADER_SIZE; have++)
                assert_int_equal(frame_parse(&f, header, have, CEILING, &e), FRAME_MORE);
        assert_int_equal(frame_parse(&f, header, WIRE_HEADER_SIZE, CEILING, &e), FRAME_OK);
        assert_int_equal(f.length, 77);
}

static void what_follows_the_header_is_left_alone(void **state)
{
        (void)state;
        uint8_t bytes[WIRE_HEADER_SIZE + 3] = { 0, 0, 0, 0, 3, 0xff, 0xff, 0xff };
        struct frame f;
        struct err e = { 0 };
        assert_int_equal(frame_parse(&f, bytes, sizeof bytes, CEILING, &e), FRAME_OK);
        assert_int_equal(f.length, 3);
}

static void an_unknown_flag_is_refused_at_its_first_byte(void **state)
{
        (void)state;
        for (int flag = 0; flag < 256; flag++) {
                uint8_t byte = (uint8_t)flag;
                struct frame f;
                struct err e = { 0 };
                int r = frame_parse(&f, &byte, 1, CEILING, &e);
                if (flag <= 1)
                        assert_int_equal(r, FRAME_MORE);
                else
                        assert_refused(r, &e, EPROTO, "first byte");
        }
}

static void a_length_over_the_ceiling_is_refused(void **state)
{
        (void)state;
        uint8_t header[WIRE_HEADER_SIZE];
        struct frame f;
        struct err e = { 0 };

        frame_header(header, false, CEILING);
        assert_int_equal(frame_parse(&f, header, sizeof header, CEILING, &e), FRAME_OK);
        frame_header(header, false, CEILING + 1);
        assert_refused(frame_parse(&f, header, sizeof header, CEILING, &e), &e, EMSGSIZE, "1000 bytes");
        frame_header(header, true, UINT32_MAX);
        assert_refused(frame_parse(&f, header, sizeof header, CEILING, &e), &e, EMSGSIZE, "4294967295");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_header_says_what_was_written),
                cmocka_unit_test(the_length_is_big_endian),
                cmocka_unit_test(a_header_may_come_byte_by_byte),
                cmocka_unit_test(what_follows_the_header_is_left_alone),
                cmocka_unit_test(an_unknown_flag_is_refused_at_its_first_byte),
                cmocka_unit_test(a_length_over_the_ceiling_is_refused),
        };
        return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
