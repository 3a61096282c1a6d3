/* Answers that a client refuses. Each test looks for a word of the reason. */
#include "proto/wire/answer.h"

#include "proto/base/own.h"
#include "tests/unit/unit.h"
#include "tests/unit/wirebuf.h"

#include <errno.h>
#include <pb_common.h>
#include <stdlib.h>

#define ID(name) hatchery_v1_##name##_tag

static void assert_message_refused(struct wirebuf *m, const char *word)
{
        struct answer a;
        struct err e = { 0 };
        size_t len;
        OWN_MEM uint8_t *data = wirebuf_finish(m, &len);
        int rc = answer_decode(&a, data, len, &e);
        answer_fini(&a);
        assert_refused(rc, &e, EPROTO, word);
}

static void a_message_without_an_answer_is_refused(void **state)
{
        (void)state;
        struct wirebuf m = { 0 };
        assert_message_refused(&m, "no answer");
        wirebuf_number(&m, ID(ServerMessage_id), 1);
        wirebuf_text(&m, 100, "of a later version");
        assert_message_refused(&m, "no answer");
}

static void two_answers_in_one_message_are_refused(void **state)
{
        (void)state;
        const uint32_t tags[] = { ID(ServerMessage_result), ID(ServerMessage_error), ID(ServerMessage_pong),
                                  ID(ServerMessage_status), ID(ServerMessage_cancelled) };
        for (size_t i = 0; i < 5; i++) {
                for (size_t j = 0; j < 5; j++) {
                        struct wirebuf m = { 0 };
                        wirebuf_text(&m, tags[i], "");
                        wirebuf_text(&m, tags[j], "");
                        assert_message_refused(&m, "more than one");
                }
        }
}

struct message {
        const char *name;
        const pb_msgdesc_t *fields;
        uint32_t outer; /* a field of ServerMessage */
        uint32_t inner; /* a field of the message in `outer`; 0: none */
        uint32_t third; /* a field of the message in `inner`; 0: none */
};

static const struct message messages[] = {
        { "Result", &hatchery_v1_Result_msg, ID(ServerMessage_result), 0, 0 },
        { "File", &hatchery_v1_File_msg, ID(ServerMessage_result), ID(Result_files), 0 },
        { "Stages", &hatchery_v1_Stages_msg, ID(ServerMessage_result), ID(Result_stages), 0 },
        { "CompileStage", &hatchery_v1_CompileStage_msg, ID(ServerMessage_result), ID(Result_compile), 0 },
        { "Error", &hatchery_v1_Error_msg, ID(ServerMessage_error), 0, 0 },
        { "Pong", &hatchery_v1_Pong_msg, ID(ServerMessage_pong), 0, 0 },
        { "Status", &hatchery_v1_Status_msg, ID(ServerMessage_status), 0, 0 },
        { "LanguageStatus", &hatchery_v1_LanguageStatus_msg, ID(ServerMessage_status), ID(Status_languages), 0 },
        { "StageStatus", &hatchery_v1_StageStatus_msg, ID(ServerMessage_status), ID(Status_languages),
          ID(LanguageStatus_stages) },
        { "PreloadStatus", &hatchery_v1_PreloadStatus_msg, ID(ServerMessage_status), ID(Status_languages),
          ID(LanguageStatus_preloads) },
        { "Cancelled", &hatchery_v1_Cancelled_msg, ID(ServerMessage_cancelled), 0, 0 },
};

static void assert_inner_refused(const struct message *where, struct wirebuf *inner, const char *word)
{
        const uint32_t tags[] = { where->third, where->inner, where->outer };
        struct wirebuf m = *inner;
        for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
                struct wirebuf outer = { 0 };
                if (tags[i] == 0)
                        continue;
                wirebuf_message(&outer, tags[i], &m);
                m = outer;
        }
        assert_message_refused(&m, word);
}

/* The generated description lists the fields of the .proto. A field that answer.c lacks would be skipped, and not
 * refused. */
static void each_field_is_refused_if_it_comes_twice_or_has_a_wrong_wire_type(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
                pb_field_iter_t f;
                union {
                        hatchery_v1_Result result;
                        hatchery_v1_Status status;
                        hatchery_v1_LanguageStatus language;
                        hatchery_v1_Error error;
                } any = { 0 };
                assert_true(pb_field_iter_begin(&f, messages[i].fields, &any));
                do {
                        struct wirebuf wrong = { 0 }, twice = { 0 };
                        wirebuf_tag(&wrong, f.tag, 1);
                        wirebuf_raw(&wrong, "12345678", 8);
                        assert_inner_refused(&messages[i], &wrong, "wire type");

                        if (PB_HTYPE(f.type) == PB_HTYPE_REPEATED)
                                continue;
                        for (int n = 0; n < 2; n++) {
                                if (PB_LTYPE(f.type) <= PB_LTYPE_SVARINT)
                                        wirebuf_number(&twice, f.tag, 0);
                                else
                                        wirebuf_text(&twice, f.tag, "");
                        }
                        assert_inner_refused(&messages[i], &twice, messages[i].name);
                } while (pb_field_iter_next(&f));
        }
}

static void a_string_too_long_for_its_array_is_refused(void **state)
{
        (void)state;
        char text[513];
        memset(text, 'x', sizeof text);
        for (size_t len = 511; len <= 513; len++) {
                struct wirebuf m = { 0 }, error = { 0 };
                wirebuf_bytes(&error, ID(Error_message), text, len);
                wirebuf_message(&m, ID(ServerMessage_error), &error);
                if (len > 511) {
                        assert_message_refused(&m, "at most 511");
                        continue;
                }
                struct answer a;
                struct err e = { 0 };
                size_t size;
                OWN_MEM uint8_t *data = wirebuf_finish(&m, &size);
                assert_int_equal(answer_decode(&a, data, size, &e), 0);
                assert_int_equal(strlen(a.m.answer.error.message), 511);
        }
}

static void text_that_is_not_utf8_or_holds_nul_is_refused(void **state)
{
        (void)state;
        struct wirebuf m = { 0 }, pong = { 0 };
        wirebuf_bytes(&pong, ID(Pong_server_version), "0\0", 2);
        wirebuf_message(&m, ID(ServerMessage_pong), &pong);
        assert_message_refused(&m, "NUL");
        wirebuf_bytes(&pong, ID(Pong_server_version), "\xc3", 1);
        wirebuf_message(&m, ID(ServerMessage_pong), &pong);
        assert_message_refused(&m, "UTF-8");
}

static void more_languages_files_or_stages_than_a_client_holds_are_refused(void **state)
{
        (void)state;
        struct wirebuf m = { 0 }, status = { 0 }, result = { 0 }, language = { 0 };
        for (int i = 0; i < 1025; i++)
                wirebuf_text(&status, ID(Status_languages), "");
        wirebuf_message(&m, ID(ServerMessage_status), &status);
        assert_message_refused(&m, "languages");
        for (int i = 0; i < 65537; i++)
                wirebuf_text(&result, ID(Result_files), "");
        wirebuf_message(&m, ID(ServerMessage_result), &result);
        assert_message_refused(&m, "files");
        for (int i = 0; i < 17; i++)
                wirebuf_text(&language, ID(LanguageStatus_stages), "");
        wirebuf_message(&status, ID(Status_languages), &language);
        wirebuf_message(&m, ID(ServerMessage_status), &status);
        assert_message_refused(&m, "stages");
        const uint32_t tags[] = { ID(LanguageStatus_aliases), ID(LanguageStatus_preloads) };
        const char *const words[] = { "aliases", "preloads" };
        for (int i = 0; i < 2; i++) {
                for (int n = 0; n < 33; n++)
                        wirebuf_text(&language, tags[i], "");
                wirebuf_message(&status, ID(Status_languages), &language);
                wirebuf_message(&m, ID(ServerMessage_status), &status);
                assert_message_refused(&m, words[i]);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_message_without_an_answer_is_refused),
                cmocka_unit_test(two_answers_in_one_message_are_refused),
                cmocka_unit_test(each_field_is_refused_if_it_comes_twice_or_has_a_wrong_wire_type),
                cmocka_unit_test(a_string_too_long_for_its_array_is_refused),
                cmocka_unit_test(text_that_is_not_utf8_or_holds_nul_is_refused),
                cmocka_unit_test(more_languages_files_or_stages_than_a_client_holds_are_refused),
        };
        return cmocka_run_group_tests_name("answer-refusal", tests, NULL, NULL);
}
