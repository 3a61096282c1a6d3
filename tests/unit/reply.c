/* Answers as frames. */
#include "pool/native/reply.h"

#include "proto/wire/frame.h"
#include "proto/wire/lz4.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

/* Makes the frame of a result with output of this size. All bytes of the output are 0. */
static int reply(size_t size, const struct reply_bounds *bounds, uint8_t **frame, size_t *len, struct err *e)
{
        uint8_t *out = calloc(1, size + 1);
        struct answer a = { .m = { .id = 5, .which_answer = hatchery_v1_ServerMessage_result_tag } };
        a.out = (struct span){ out, size };
        int r = reply_frame(&a, bounds, frame, len, e);
        free(out);
        return r;
}

static void assert_reply(size_t size, bool compress, bool want_packed)
{
        const struct reply_bounds bounds = { .max = 8 << 20, .compress = compress };
        uint8_t *frame, *plain = NULL;
        size_t len, plain_len;
        struct err e = { 0 };
        struct frame f;
        struct answer a;

        assert_int_equal(reply(size, &bounds, &frame, &len, &e), 0);
        assert_int_equal(frame_parse(&f, frame, len, 8 << 20, &e), FRAME_OK);
        assert_int_equal(f.compressed, want_packed);
        assert_int_equal(f.length + WIRE_HEADER_SIZE, len);
        const uint8_t *message = frame + WIRE_HEADER_SIZE;
        size_t message_len = f.length;
        if (want_packed) {
                assert_int_equal(lz4_unpack(message, message_len, 8 << 20, &plain, &plain_len, &e), LZ4_OK);
                message = plain;
                message_len = plain_len;
        }
        assert_int_equal(answer_decode(&a, message, message_len, &e), 0);
        assert_int_equal(a.m.id, 5);
        assert_int_equal(a.out.len, size);
        answer_fini(&a);
        free(plain);
        free(frame);
}

static void answers_are_packed_only_for_those_who_pack_and_where_it_pays(void **state)
{
        (void)state;
        assert_reply(100, false, false);
        assert_reply(100, true, false);
        assert_reply(100000, false, false);
        assert_reply(100000, true, true);
        assert_reply(3 << 20, true, false); /* compressing it would keep all other clients waiting */
}

static void an_answer_over_the_ceiling_is_refused(void **state)
{
        (void)state;
        const struct reply_bounds bounds = { .max = 1000 };
        uint8_t *frame;
        size_t len;
        struct err e = { 0 };
        assert_refused(reply(1000, &bounds, &frame, &len, &e), &e, EMSGSIZE, "1000");
        assert_int_equal(reply(900, &bounds, &frame, &len, &e), 0);
        free(frame);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(answers_are_packed_only_for_those_who_pack_and_where_it_pays),
                cmocka_unit_test(an_answer_over_the_ceiling_is_refused),
        };
        return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
