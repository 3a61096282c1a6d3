/* The contract /v1: bodies of requests (gateway/contracts/v1_request), and answers (v1_result). */
#include "gateway/contracts/v1_parts.h"

#include "tests/unit/unit.h"

#include <stdarg.h>
#include <stdio.h>

/* Stands in for the function of gateway/http_exchange.c, which is not linked into this test. */
void failure_set(struct failure *why, int status, const char *code, const char *format, ...)
{
        va_list args;
        *why = (struct failure){ .status = status, .code = code };
        va_start(args, format);
        vsnprintf(why->message, sizeof why->message, format, args);
        va_end(args);
}

static struct v1_request take(const char *text, bool is_live)
{
        struct v1_request r;
        struct failure why;
        if (v1_request_read(&r, span_of_text(text), is_live, &why) < 0)
                fail_msg("%s: %s", text, why.message);
        return r;
}

static void each_field_arrives(void **state)
{
        (void)state;
        struct v1_request r = take(
                "{\"language\":\"python\",\"code\":\"print(1)\\u0000\",\"entry\":\"a.py\",\"args\":[\"x\",\"\"],"
                "\"env\":{\"A\":\"1\"},\"stdin_base64\":\"AP8=\",\"merge_stderr\":true,\"on_output_limit\":\"TRUNCATE\","
                "\"deadline_us\":5,\"client\":\"c\",\"priority\":7,\"echo_last_expression\":true,\"unbuffered\":true,"
                "\"compile_flags\":[\"-O2\"],\"stream\":true,\"interpreter_args\":[\"-I\"],\"interpreter\":\"p\","
                "\"run_id\":\"r\",\"idempotency_key\":\"k\",\"limits\":{\"wall_us\":1,\"stack_bytes\":-8},"
                "\"compile_limits\":{\"pids\":3},\"collect\":{\"globs\":[\"*\"],\"max_files\":2,\"max_bytes\":3,"
                "\"changed_only\":true},\"files\":{\"a.py\":\"t\",\"b\":{\"content_base64\":\"/w==\",\"mode\":\"0755\"},"
                "\"c\":{\"content\":\"\",\"mode\":420}}}",
                false);
        const struct submission *s = &r.request.execute;
        assert_int_equal(r.request.kind, REQUEST_EXECUTE);
        assert_span_text(s->language, "python");
        assert_true(s->has_code);
        assert_span_equal(s->code, "print(1)\0", 9);
        assert_span_text(s->entry, "a.py");
        assert_int_equal(s->n_args, 2);
        assert_span_text(s->args[0], "x");
        assert_int_equal(s->n_env, 1);
        assert_span_text(s->env[0].name, "A");
        assert_span_equal(s->standard_input, "\0\xff", 2);
        assert_true(s->merge_stderr && s->truncate_output && s->echo_last_expression && s->unbuffered && s->stream);
        assert_int_equal(s->deadline_us, 5);
        assert_int_equal(s->priority, 7);
        assert_span_text(s->client, "c");
        assert_span_text(s->compile_flags[0], "-O2");
        assert_span_text(s->interpreter_args[0], "-I");
        assert_span_text(s->interpreter, "p");
        assert_span_text(s->run_id, "r");
        assert_span_text(s->idempotency_key, "k");
        assert_true(s->has_limit[LIMIT_WALL] && s->limit[LIMIT_WALL] == 1);
        assert_true(s->has_limit[LIMIT_STACK] && s->limit[LIMIT_STACK] == -8 && !s->has_limit[LIMIT_CPU]);
        assert_true(s->has_compile_limits && s->has_compile_limit[LIMIT_PIDS]);
        assert_true(s->has_collect && s->n_globs == 1 && s->collect_max_files == 2 && s->collect_max_bytes == 3);
        assert_int_equal(s->n_files, 3);
        assert_span_text(s->files[0].content, "t");
        assert_span_equal(s->files[1].content, "\xff", 1);
        assert_int_equal(s->files[1].mode, 0755);
        assert_int_equal(s->files[2].mode, 0644);
        v1_request_fini(&r);
}

static void null_counts_as_left_out(void **state)
{
        (void)state;
        struct v1_request r =
                take("{\"language\":\"c\",\"code\":null,\"limits\":null,\"collect\":{\"globs\":null}}", false);
        assert_false(r.request.execute.has_code);
        assert_true(r.request.execute.has_collect);
        v1_request_fini(&r);
}

static void a_terminal_needs_a_socket(void **state)
{
        (void)state;
        struct v1_request r =
                take("{\"language\":\"c\",\"live_stdin\":true,\"terminal\":{\"rows\":24,\"columns\":80}}", true);
        assert_true(r.request.execute.live_input && r.request.execute.has_terminal);
        assert_int_equal(r.request.execute.terminal.columns, 80);
        v1_request_fini(&r);
}

static void bad_bodies_are_refused_with_their_path(void **state)
{
        static const struct {
                const char *text, *words;
        } rows[] = {
                { "", "no byte" },
                { "[]", "an object is needed" },
                { "{}", "language is missing" },
                { "{\"language\":\"\"}", "language is missing" },
                { "{\"language\":7}", "language: a string is needed, and this is a whole number" },
                { "{\"language\":\"c\",\"stdn\":\"\"}", "stdn: there is no such field; the nearest name is \"stdin\"" },
                { "{\"langage\":\"c\"}", "\"language\"" },
                { "{\"language\":\"c\",\"limits\":{\"wall_ms\":1}}",
                  "limits.wall_ms: there is no such field; the nearest "
                  "name is \"wall_us\"" },
                { "{\"language\":\"c\",\"limits\":{\"pids\":\"1\"}}", "limits.pids: a whole number is needed" },
                { "{\"language\":\"c\",\"limits\":{\"pids\":1.0}}", "limits.pids: a whole number is needed" },
                { "{\"language\":\"c\",\"limits\":[]}", "limits: an object is needed" },
                { "{\"language\":\"c\",\"priority\":-1}", "priority: -1 is out of range" },
                { "{\"language\":\"c\",\"priority\":4294967296}", "out of range" },
                { "{\"language\":\"c\",\"deadline_us\":true}", "deadline_us: a whole number" },
                { "{\"language\":\"c\",\"merge_stderr\":1}", "merge_stderr: true or false" },
                { "{\"language\":\"c\",\"code\":\"\",\"code_base64\":\"\"}", "once, as text or as base64" },
                { "{\"language\":\"c\",\"code_base64\":\"?\"}", "code_base64: this is not base64" },
                { "{\"language\":\"c\",\"code\":[]}", "code: a string" },
                { "{\"language\":\"c\",\"args\":\"x\"}", "args: a list of strings" },
                { "{\"language\":\"c\",\"args\":[\"a\",1]}", "args[1]: a string" },
                { "{\"language\":\"c\",\"args\":[\"a\\u0000\"]}", "args[0]: the character NUL" },
                { "{\"language\":\"c\",\"env\":{\"A\":1}}", "env[\"A\"]: a string" },
                { "{\"language\":\"c\",\"env\":[]}", "env: an object" },
                { "{\"language\":\"c\",\"files\":[]}", "files: an object of names" },
                { "{\"language\":\"c\",\"files\":{\"a\":1}}", "files[\"a\"]: a string, or an object" },
                { "{\"language\":\"c\",\"files\":{\"a\":{}}}", "files[\"a\"]: the file has no content" },
                { "{\"language\":\"c\",\"files\":{\"a\":{\"content\":\"\",\"mode\":4096}}}",
                  "files[\"a\"].mode: 4096" },
                { "{\"language\":\"c\",\"files\":{\"a\":{\"content\":\"\",\"mode\":\"0x1\"}}}", "octal" },
                { "{\"language\":\"c\",\"files\":{\"a\":{\"content\":\"\",\"mode\":\"10000\"}}}", "octal" },
                { "{\"language\":\"c\",\"on_output_limit\":\"kill\"}", "on_output_limit: \"KILL\"" },
                { "{\"language\":\"c\",\"collect\":{\"globs\":[1]}}", "collect.globs[0]: a string" },
                { "{\"language\":\"c\",\"live_stdin\":true}", "live_stdin: this needs" },
                { "{\"language\":\"c\",\"terminal\":{}}", "GET /v1/ws" },
                { "{\"language\":\"c\",\"language\":\"c\"}", "duplicate" },
                { "{\"language\":\"0123456789012345678901234567890123456789\"}", "40 bytes, and 31" },
        };
        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                struct v1_request r;
                struct failure why;
                if (v1_request_read(&r, span_of_text(rows[i].text), false, &why) == 0)
                        fail_msg("%s was taken", rows[i].text);
                v1_request_fini(&r);
                assert_int_equal(why.status, 400);
                assert_string_equal(why.code, "INVALID_ARGUMENT");
                if (!strstr(why.message, rows[i].words))
                        fail_msg("%s: \"%s\" does not contain \"%s\"", rows[i].text, why.message, rows[i].words);
        }
}

static void a_long_path_is_cut(void **state)
{
        char text[3000];
        struct v1_request r;
        struct failure why;
        (void)state;
        snprintf(text, sizeof text, "{\"language\":\"c\",\"files\":{\"%01000d\":{\"%01000d\":1}}}", 1, 1);
        assert_int_equal(v1_request_read(&r, span_of_text(text), false, &why), -1);
        v1_request_fini(&r);
        assert_non_null(strstr(why.message, "nearest"));
}

/* ---------------------------------------------------------------- answers */

static void output_is_text_or_base64(void **state)
{
        struct hatchery_answer a = { 0 };
        (void)state;
        a.answer.m.which_answer = hatchery_v1_ServerMessage_result_tag;
        a.answer.m.answer.result.status = hatchery_v1_Result_Status_TIME_LIMIT;
        a.answer.out = span_of_text("h\xc3\xa4");
        a.answer.err = span_of_text("\xff");
        json_t *o = v1_result_json(&a, "id", 0, false);
        assert_string_equal(json_string_value(json_object_get(o, "stdout")), "h\xc3\xa4");
        assert_null(json_object_get(o, "stdout_base64"));
        assert_string_equal(json_string_value(json_object_get(o, "stderr_base64")), "/w==");
        assert_string_equal(json_string_value(json_object_get(o, "status")), "TIME_LIMIT");
        assert_string_equal(json_string_value(json_object_get(o, "limit_hit")), "wall_us");
        assert_string_equal(json_string_value(json_object_get(o, "run_id")), "id");
        assert_true(json_is_null(json_object_get(o, "compile")));
        json_decref(o);
        a.answer.m.answer.result.stages.run_us = 9;
        o = v1_result_json(&a, "id", 9, true);
        assert_null(json_object_get(o, "stdout"));
        assert_string_equal(json_string_value(json_object_get(o, "limit_hit")), "deadline_us");
        json_decref(o);
}

static void an_event_is_one_line(void **state)
{
        (void)state;
        char *text =
                v1_event_text("output", v1_output_json(hatchery_v1_Output_Stream_STDERR, span_of_text("a\nb"), 3, 4));
        assert_string_equal(text,
                            "{\"event\":\"output\",\"stream\":\"stderr\",\"text\":\"a\\nb\",\"offset\":3,\"at_us\":4}");
        free(text);
        assert_null(v1_event_text("output", NULL));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_field_arrives),        cmocka_unit_test(null_counts_as_left_out),
                cmocka_unit_test(a_terminal_needs_a_socket), cmocka_unit_test(bad_bodies_are_refused_with_their_path),
                cmocka_unit_test(a_long_path_is_cut),        cmocka_unit_test(output_is_text_or_base64),
                cmocka_unit_test(an_event_is_one_line),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
