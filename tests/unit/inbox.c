/* Putting frames together from pieces that arrive. */
#include "pool/native/inbox.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

enum { CEILING = 1 << 20 };

/* Frames of these lengths, one after the other. Each body is filled with the frame's number. */
static uint8_t *stream_of(const uint32_t *lengths, size_t n, size_t *len)
{
        *len = 0;
        for (size_t i = 0; i < n; i++)
                *len += WIRE_HEADER_SIZE + lengths[i];
        uint8_t *stream = test_malloc(*len), *at = stream;
        for (size_t i = 0; i < n; i++) {
                frame_header(at, i % 2 == 1, lengths[i]);
                memset(at + WIRE_HEADER_SIZE, (int)i + 1, lengths[i]);
                at += WIRE_HEADER_SIZE + lengths[i];
        }
        return stream;
}

static void assert_frame(const struct frame *f, const uint8_t *body, size_t i, uint32_t length)
{
        assert_int_equal(f->length, length);
        assert_int_equal(f->compressed, i % 2 == 1);
        for (uint32_t k = 0; k < length; k++)
                assert_int_equal(body[k], i + 1);
}

/* Feeds the stream in pieces and checks each frame that comes out. */
static void feed_in_pieces(size_t piece)
{
        static const uint32_t lengths[] = { 3, 0, 1, 70000, 255, 0, 200000, 9 };
        enum { N = sizeof lengths / sizeof lengths[0] };
        struct inbox in = { 0 };
        struct err e = { 0 };
        size_t len, seen = 0;
        uint8_t *stream = stream_of(lengths, N, &len);

        for (size_t at = 0; at < len; at += piece) {
                const uint8_t *data = stream + at;
                size_t left = len - at < piece ? len - at : piece;
                for (;;) {
                        struct frame f;
                        uint8_t *body;
                        int r = inbox_take(&in, &data, &left, CEILING, &f, &body, &e);
                        if (r == INBOX_MORE)
                                break;
                        assert_int_equal(r, INBOX_FRAME);
                        assert_true(seen < N);
                        assert_frame(&f, body, seen, lengths[seen]);
                        seen++;
                        free(body);
                }
                assert_int_equal(left, 0);
        }
        assert_int_equal(seen, N);
        assert_false(inbox_is_partial(&in));
        inbox_fini(&in);
        test_free(stream);
}

static void frames_come_out_whole_however_the_bytes_came(void **state)
{
        (void)state;
        static const size_t pieces[] = { 1, 2, 5, 6, 4096, 65536, 1 << 20 };
        for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
                feed_in_pieces(pieces[i]);
}

static void memory_grows_with_what_came_not_with_what_was_announced(void **state)
{
        (void)state;
        struct inbox in = { 0 };
        struct err e = { 0 };
        struct frame f;
        uint8_t head[WIRE_HEADER_SIZE + 1] = { 0 }, *body;
        const uint8_t *data = head;
        size_t len = sizeof head;

        frame_header(head, false, 512 << 20);
        assert_int_equal(inbox_take(&in, &data, &len, 1U << 30, &f, &body, &e), INBOX_MORE);
        assert_true(inbox_is_partial(&in));
        assert_true(in.room <= 4096);
        inbox_fini(&in);
}

static void a_length_over_the_ceiling_is_refused_before_memory_is_taken(void **state)
{
        (void)state;
        struct inbox in = { 0 };
        struct err e = { 0 };
        struct frame f;
        uint8_t head[WIRE_HEADER_SIZE], *body;
        const uint8_t *data = head;
        size_t len = sizeof head;

        frame_header(head, false, CEILING + 1);
        assert_refused(inbox_take(&in, &data, &len, CEILING, &f, &body, &e), &e, EMSGSIZE, "1048576");
        assert_null(in.body);
        inbox_fini(&in);
}

static void a_wrong_flag_is_refused_at_the_first_byte(void **state)
{
        (void)state;
        struct inbox in = { 0 };
        struct err e = { 0 };
        struct frame f;
        uint8_t wrong = 'G', *body;
        const uint8_t *data = &wrong;
        size_t len = 1;
        assert_int_equal(inbox_take(&in, &data, &len, CEILING, &f, &body, &e), -EPROTO);
        inbox_fini(&in);
}

static void a_large_body_can_be_read_in_place(void **state)
{
        (void)state;
        const uint32_t length = 300000;
        struct inbox in = { 0 };
        struct err e = { 0 };
        struct frame f;
        uint8_t head[WIRE_HEADER_SIZE + 2] = { 0, 0, 0, 0, 0, 1, 1 }, *body = NULL;
        const uint8_t *data = head;
        size_t len = sizeof head, room, have = 2;
        int r = INBOX_MORE;

        assert_null(inbox_direct(&in, &room));
        frame_header(head, false, length);
        assert_int_equal(inbox_take(&in, &data, &len, CEILING, &f, &body, &e), INBOX_MORE);
        while (r == INBOX_MORE) {
                uint8_t *at = inbox_direct(&in, &room);
                assert_non_null(at);
                assert_true(room > 0 && room <= length - have);
                size_t n = room < 7777 ? room : 7777;
                memset(at, 1, n);
                have += n;
                r = inbox_filled(&in, n, &f, &body, &e);
        }
        assert_int_equal(r, INBOX_FRAME);
        assert_int_equal(have, length);
        assert_frame(&f, body, 0, length);
        free(body);
        assert_false(inbox_is_partial(&in));
}

static void more_than_there_is_room_for_is_refused(void **state)
{
        (void)state;
        struct inbox in = { 0 };
        struct err e = { 0 };
        struct frame f;
        uint8_t *body;
        assert_int_equal(inbox_filled(&in, 1, &f, &body, &e), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(frames_come_out_whole_however_the_bytes_came),
                cmocka_unit_test(memory_grows_with_what_came_not_with_what_was_announced),
                cmocka_unit_test(a_length_over_the_ceiling_is_refused_before_memory_is_taken),
                cmocka_unit_test(a_wrong_flag_is_refused_at_the_first_byte),
                cmocka_unit_test(a_large_body_can_be_read_in_place),
                cmocka_unit_test(more_than_there_is_room_for_is_refused),
        };
        return cmocka_run_group_tests_name("inbox", tests, NULL, NULL);
}
