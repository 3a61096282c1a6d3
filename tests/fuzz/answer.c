/* Fuzzes a client's handling of a server's message: proto/wire/answer and proto/wire/pbspan (decoding and encoding),
 * pool/native/reply (the same as a frame), and the command's output: client/json, client/text, client/report. Input: a
 * ServerMessage. */
#include "proto/wire/answer.h"

#include "client/json.h"
#include "client/report.h"
#include "client/text.h"
#include "pool/native/reply.h"
#include "proto/wire/frame.h"
#include "proto/wire/lz4.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 5, MAX = 1 << 20 };

static void check_frame(struct answer *a, const uint8_t *message, size_t len)
{
        const struct reply_bounds bounds = { .max = MAX, .compress = true };
        struct frame f;
        struct err e = { 0 };
        uint8_t *frame = NULL;
        size_t frame_len = 0;

        FUZZ_CHECK(reply_frame(a, &bounds, &frame, &frame_len, &e) == 0);
        FUZZ_CHECK(frame_parse(&f, frame, frame_len, MAX, &e) == FRAME_OK && f.length == frame_len - ROOM);
        if (f.compressed) {
                uint8_t *plain = NULL;
                size_t plain_len = 0;
                FUZZ_CHECK(lz4_unpack(frame + ROOM, f.length, MAX, &plain, &plain_len, &e) == LZ4_OK);
                FUZZ_CHECK(plain_len == len && memcmp(plain, message, len) == 0);
                free(plain);
        } else {
                FUZZ_CHECK(f.length == len && memcmp(frame + ROOM, message, len) == 0);
        }
        free(frame);
}

static bool has_negative_enum_in_status(const struct answer *a)
{
        const hatchery_v1_Status *status = &a->m.answer.status;

        for (size_t i = 0; i < status->refusals_count; i++)
                if ((int)status->refusals[i].code < 0)
                        return true;
        for (size_t i = 0; i < a->n_languages; i++) {
                const hatchery_v1_LanguageStatus *l = &a->languages[i];
                if ((int)l->kind < 0)
                        return true;
                for (size_t k = 0; k < l->results_count; k++)
                        if ((int)l->results[k].status < 0)
                                return true;
        }
        return false;
}

/* True if an enum is below 0, which no .proto defines. Decoding accepts it, as proto3 demands; no server encodes it. */
static bool has_negative_enum(const struct answer *a)
{
        switch (a->m.which_answer) {
        case hatchery_v1_ServerMessage_result_tag:
                return (int)a->m.answer.result.status < 0 || (int)a->m.answer.result.compile.status < 0;
        case hatchery_v1_ServerMessage_error_tag:
                return (int)a->m.answer.error.code < 0;
        case hatchery_v1_ServerMessage_output_tag:
                return (int)a->m.answer.output.stream < 0;
        case hatchery_v1_ServerMessage_stage_tag:
                return (int)a->m.answer.stage.kind < 0;
        case hatchery_v1_ServerMessage_status_tag:
                return has_negative_enum_in_status(a);
        default:
                return false;
        }
}

static void check_round_trip(struct answer *a)
{
        struct err e = { 0 };
        uint8_t *first = NULL, *second = NULL;
        size_t first_len = 0, second_len = 0;
        struct answer again;

        FUZZ_CHECK(answer_encode(a, ROOM, &first, &first_len, &e) == 0);
        FUZZ_CHECK(answer_decode(&again, first + ROOM, first_len, &e) == 0);
        FUZZ_CHECK(again.m.id == a->m.id && again.m.which_answer == a->m.which_answer);
        FUZZ_CHECK(again.n_files == a->n_files && again.n_languages == a->n_languages);
        FUZZ_CHECK(answer_encode(&again, ROOM, &second, &second_len, &e) == 0);
        FUZZ_CHECK(first_len == second_len && memcmp(first + ROOM, second + ROOM, first_len) == 0);
        check_frame(&again, first + ROOM, first_len);
        answer_fini(&again);
        free(first);
        free(second);
}

/* Checks that jansson can read what it has printed. */
static void check_json(json_t *object)
{
        FUZZ_CHECK(object);
        char *text = json_dumps(object, 0);
        FUZZ_CHECK(text);
        json_t *back = json_loads(text, 0, NULL);
        FUZZ_CHECK(back && json_equal(back, object));
        json_decref(back);
        json_decref(object);
        free(text);
}

static void check_result(const struct answer *a)
{
        const hatchery_v1_Result *r = &a->m.answer.result;
        const struct submission asked = { 0 };
        char line[REPORT_SIZE];

        check_json(json_of_result(a));
        report_exit_code(r);
        memset(line, 'x', sizeof line);
        if (report_sentence(line, &asked, r))
                FUZZ_CHECK(memchr(line, '\0', sizeof line));
        memset(line, 'x', sizeof line);
        report_stats(line, r);
        FUZZ_CHECK(memchr(line, '\0', sizeof line));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct answer a;
        struct err e = { 0 };
        uint8_t *message = fuzz_copy(data, size);

        int r = answer_decode(&a, message, size, &e);
        if (r == 0) {
                if (a.m.which_answer == hatchery_v1_ServerMessage_result_tag)
                        check_result(&a);
                else if (a.m.which_answer == hatchery_v1_ServerMessage_status_tag)
                        check_json(json_of_status(&a));
                else if (a.m.which_answer == hatchery_v1_ServerMessage_pong_tag)
                        check_json(json_of_pong(&a, "127.0.0.1:7070", 1));
                else if (a.m.which_answer == hatchery_v1_ServerMessage_error_tag)
                        check_json(json_of_error(answer_code_name((int)a.m.answer.error.code), a.m.answer.error.message,
                                                 a.m.answer.error.retry_after_ms));
                if (!has_negative_enum(&a))
                        check_round_trip(&a);
        } else {
                FUZZ_CHECK(r == -EPROTO && e.code == EPROTO && e.text[0] != '\0');
        }
        answer_fini(&a);
        free(message);
        return 0;
}
