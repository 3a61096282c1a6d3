/* Results of the pool as Piston's stages: statuses, sentences, signals, output. */
#include "gateway/contracts/piston_parts.h"
#include "tests/unit/unit.h"

#define RESULT(name) hatchery_v1_Result_Status_##name
#define NO_CODE      (-1)

static const char *text_of(const json_t *stage, const char *field)
{
        return json_string_value(json_object_get(stage, field));
}

static void assert_text(const json_t *stage, const char *field, const char *text)
{
        const char *got = text_of(stage, field);

        if (!text)
                assert_true(json_is_null(json_object_get(stage, field)));
        else if (!got || strcmp(got, text) != 0)
                fail_msg("%s is %s, not %s", field, got ? got : "null", text);
}

static void assert_stage(const json_t *stage, const char *status, int code, const char *signal, const char *message)
{
        assert_non_null(stage);
        assert_text(stage, "status", status);
        assert_text(stage, "signal", signal);
        assert_text(stage, "message", message);
        if (code == NO_CODE)
                assert_true(json_is_null(json_object_get(stage, "code")));
        else
                assert_int_equal(json_integer_value(json_object_get(stage, "code")), code);
}

static void each_end_has_a_status_and_a_sentence(void **state)
{
        static const struct {
                hatchery_v1_Result result;
                const char *status;
                int code;
                const char *signal, *message;
        } rows[] = {
                { { .status = RESULT(EXITED) }, NULL, 0, NULL, NULL },
                { { .status = RESULT(EXITED), .exit_code = 3 }, "RE", 3, NULL, "Exited with error status 3" },
                { { .status = RESULT(SIGNALED), .signal = 11 }, "SG", NO_CODE, "SIGSEGV", "Caught fatal signal 11" },
                { { .status = RESULT(SIGNALED), .signal = 40 }, "SG", NO_CODE, "SIG40", "Caught fatal signal 40" },
                { { .status = RESULT(TIME_LIMIT), .signal = 9 },
                  "TO",
                  NO_CODE,
                  "SIGKILL",
                  "Time limit exceeded (wall clock)" },
                { { .status = RESULT(TIME_LIMIT) }, "TO", NO_CODE, "SIGKILL", "Time limit exceeded (wall clock)" },
                { { .status = RESULT(CPU_LIMIT), .signal = 9 }, "TO", NO_CODE, "SIGKILL", "Time limit exceeded" },
                { { .status = RESULT(MEMORY_LIMIT) }, "SG", NO_CODE, "SIGKILL", "Memory limit exceeded" },
                { { .status = RESULT(OUTPUT_LIMIT), .stdout_truncated = true },
                  "OL",
                  NO_CODE,
                  "SIGKILL",
                  "stdout length exceeded" },
                { { .status = RESULT(OUTPUT_LIMIT), .stderr_truncated = true },
                  "EL",
                  NO_CODE,
                  "SIGKILL",
                  "stderr length exceeded" },
                { { .status = RESULT(OUTPUT_LIMIT), .stdout_truncated = true, .stderr_truncated = true },
                  "OL",
                  NO_CODE,
                  "SIGKILL",
                  "stdout length exceeded" },
                { { .status = RESULT(DISK_LIMIT), .exit_code = 1 },
                  "RE",
                  1,
                  NULL,
                  "Exited with error status 1: its disk was full" },
                { { .status = RESULT(COMPILE_ERROR), .exit_code = 1 }, "RE", 1, NULL, "Exited with error status 1" },
                { { .status = RESULT(CANCELLED), .signal = 9 }, "XX", NO_CODE, "SIGKILL", "Cancelled" },
        };
        const struct piston_output none = { .lacks_memory = false };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                json_t *stage = piston_run_json(&rows[i].result, &none);
                assert_stage(stage, rows[i].status, rows[i].code, rows[i].signal, rows[i].message);
                json_decref(stage);
        }
}

static void times_are_milliseconds_and_memory_is_bytes(void **state)
{
        const hatchery_v1_Result result = {
                .status = RESULT(EXITED), .wall_us = 1234500, .cpu_us = 499, .memory_peak_bytes = 5000000000
        };
        const struct piston_output none = { .lacks_memory = false };

        (void)state;
        json_t *stage = piston_run_json(&result, &none);
        assert_int_equal(json_integer_value(json_object_get(stage, "wall_time")), 1235);
        assert_int_equal(json_integer_value(json_object_get(stage, "cpu_time")), 0);
        assert_int_equal(json_integer_value(json_object_get(stage, "memory")), 5000000000);
        assert_text(stage, "stdout", "");
        assert_text(stage, "output", "");
        assert_int_equal(json_object_size(stage), 10);
        json_decref(stage);
}

static void a_compile_stage_has_an_end_of_its_own(void **state)
{
        struct hatchery_answer a = { 0 };
        hatchery_v1_Result *result = &a.answer.m.answer.result;

        (void)state;
        result->status = RESULT(COMPILE_ERROR);
        result->has_compile = true;
        result->compile = (hatchery_v1_CompileStage){ .status = RESULT(EXITED), .exit_code = 2 };
        a.answer.compile_out = span_of_text("out");
        a.answer.compile_err = span_of_text("err\xff");
        json_t *stage = piston_compile_json(&a);
        assert_stage(stage, "RE", 2, NULL, "Exited with error status 2");
        assert_text(stage, "stdout", "out");
        assert_text(stage, "stderr", "err\xef\xbf\xbd");
        assert_text(stage, "output", "outerr\xef\xbf\xbd");
        json_decref(stage);

        result->compile.exit_code = 0; /* a library: there is no program, and the compiler did not complain */
        stage = piston_compile_json(&a);
        assert_stage(stage, "RE", 1, NULL, "Exited with error status 1");
        json_decref(stage);

        result->compile.status = RESULT(TIME_LIMIT);
        stage = piston_compile_json(&a);
        assert_stage(stage, "TO", NO_CODE, "SIGKILL", "Time limit exceeded (wall clock)");
        json_decref(stage);

        result->status = RESULT(SIGNALED);
        result->compile.status = RESULT(EXITED);
        stage = piston_compile_json(&a);
        assert_stage(stage, NULL, 0, NULL, NULL);
        json_decref(stage);
}

/* ---------------------------------------------------------------- output */

static void take(struct piston_output *o, char stream, const char *bytes)
{
        piston_output_take(o, stream == 'e' ? hatchery_v1_Output_Stream_STDERR : hatchery_v1_Output_Stream_STDOUT,
                           span_of_text(bytes));
}

static void assert_output(const struct piston_output *o, const char *out, const char *err, const char *both)
{
        const hatchery_v1_Result result = { .status = RESULT(EXITED) };
        json_t *stage = piston_run_json(&result, o);

        assert_text(stage, "stdout", out);
        assert_text(stage, "stderr", err);
        assert_text(stage, "output", both);
        json_decref(stage);
}

static void streams_are_apart_and_together(void **state)
{
        struct piston_output o;

        (void)state;
        piston_output_init(&o);
        take(&o, 'o', "1");
        take(&o, 'e', "2");
        take(&o, 'o', "3\n");
        take(&o, 'e', "4");
        piston_output_end(&o, false, false);
        assert_output(&o, "13\n", "24", "123\n4");
        piston_output_fini(&o);
}

static void a_character_is_whole_in_each_stream(void **state)
{
        struct piston_output o;

        (void)state;
        piston_output_init(&o);
        take(&o, 'o', "\xe2");
        take(&o, 'e', "\xf0\x9f");
        take(&o, 'o', "\x82\xac");
        take(&o, 'e', "\x90\xa3");
        piston_output_end(&o, false, false);
        assert_output(&o, "\xe2\x82\xac", "\xf0\x9f\x90\xa3", "\xe2\x82\xac\xf0\x9f\x90\xa3");
        piston_output_fini(&o);
}

static void the_limit_cuts_no_character_and_the_program_may(void **state)
{
        struct piston_output o;

        (void)state;
        piston_output_init(&o);
        take(&o, 'o', "a\xe2\x82");
        take(&o, 'e', "b\xe2\x82");
        piston_output_end(&o, true, false);
        assert_output(&o, "a", "b\xef\xbf\xbd", "ab\xef\xbf\xbd");
        piston_output_fini(&o);
}

static void much_output_is_kept(void **state)
{
        enum { CHUNK = 65536, CHUNKS = 40 };
        static uint8_t bytes[CHUNK];
        struct piston_output o;

        (void)state;
        memset(bytes, 0xff, sizeof bytes); /* each byte becomes the three bytes of U+FFFD */
        piston_output_init(&o);
        for (int i = 0; i < CHUNKS; i++)
                piston_output_take(&o, hatchery_v1_Output_Stream_STDOUT, (struct span){ bytes, sizeof bytes });
        piston_output_end(&o, false, false);
        assert_false(o.lacks_memory);
        assert_int_equal(o.out.len, 3 * CHUNK * CHUNKS);
        assert_int_equal(o.both.len, o.out.len);
        assert_int_equal(o.err.len, 0);
        piston_output_fini(&o);
}

static void signals_have_names(void **state)
{
        (void)state;
        assert_int_equal(piston_signal_number("SIGINT"), 2);
        assert_int_equal(piston_signal_number("SIGKILL"), 9);
        assert_int_equal(piston_signal_number("SIGWINCH"), 28);
        assert_int_equal(piston_signal_number("SIGSEGV"), 0); /* the pool does not deliver it */
        assert_int_equal(piston_signal_number("INT"), 0);
        assert_int_equal(piston_signal_number(""), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_end_has_a_status_and_a_sentence),
                cmocka_unit_test(times_are_milliseconds_and_memory_is_bytes),
                cmocka_unit_test(a_compile_stage_has_an_end_of_its_own),
                cmocka_unit_test(streams_are_apart_and_together),
                cmocka_unit_test(a_character_is_whole_in_each_stream),
                cmocka_unit_test(the_limit_cuts_no_character_and_the_program_may),
                cmocka_unit_test(much_output_is_kept),
                cmocka_unit_test(signals_have_names),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
