/* Results of the pool become SandboxFusion's answers, for each way in which a run can end. */
#include "gateway/contracts/sandboxfusion_answer.h"
#include "gateway/json.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#define ENDED(name) hatchery_v1_Result_Status_##name
#define MARK        "0123456789abcdef0123456789abcdef"

static struct answer result(hatchery_v1_Result_Status status, int exit_code, int signal)
{
        struct answer a = { .out = span_of_text("out\n"), .err = span_of_text("err") };

        a.m.which_answer = hatchery_v1_ServerMessage_result_tag;
        a.m.answer.result.status = status;
        a.m.answer.result.exit_code = exit_code;
        a.m.answer.result.signal = signal;
        a.m.answer.result.wall_us = 1500000;
        a.m.answer.result.memory_peak_bytes = 64 << 20;
        return a;
}

static struct fusion_request request_for(const char *language)
{
        return (struct fusion_request){ .language = fusion_language_find(span_of_text(language)) };
}

/* The member `second` of the object `first`; second NULL: `first` itself. */
static json_t *at(json_t *from, const char *first, const char *second)
{
        json_t *value = json_object_get(from, first);
        return second ? json_object_get(value, second) : value;
}

static const char *text_at(json_t *from, const char *first, const char *second)
{
        const char *text = json_string_value(at(from, first, second));
        if (!text)
                fail_msg("%s.%s is no string", first, second ? second : "");
        return text;
}

enum { NO_CODE = 1000 };

static void each_end_has_its_status_code_and_sentence(void **state)
{
        static const struct {
                hatchery_v1_Result_Status status;
                int exit_code, signal;
                const char *outer, *run;
                int return_code;
                const char *said; /* "": no sentence */
        } cases[] = {
                { ENDED(EXITED), 0, 0, "Success", "Finished", 0, "" },
                { ENDED(EXITED), 1, 0, "Failed", "Finished", 1, "" },
                { ENDED(EXITED), 255, 0, "Failed", "Finished", 255, "" },
                { ENDED(SIGNALED), 0, 11, "Failed", "Finished", -11, "" },
                { ENDED(TIME_LIMIT), 0, 9, "Failed", "TimeLimitExceeded", NO_CODE, "Time limit exceeded" },
                { ENDED(CPU_LIMIT), 0, 9, "Failed", "TimeLimitExceeded", NO_CODE, "processor time" },
                { ENDED(MEMORY_LIMIT), 0, 9, "Failed", "Finished", -9, "Memory limit exceeded: the run held 64 MiB" },
                { ENDED(MEMORY_LIMIT), 0, 0, "Failed", "Finished", -9, "Memory limit exceeded" },
                { ENDED(OUTPUT_LIMIT), 0, 9, "Failed", "Finished", -9, "Output limit exceeded" },
                { ENDED(DISK_LIMIT), 2, 0, "Failed", "Finished", 2, "Disk limit exceeded" },
                { ENDED(CANCELLED), 0, 9, "SandboxError", "Finished", -9, "cancelled" },
        };
        const struct fusion_request r = request_for("python");

        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                struct answer a = result(cases[i].status, cases[i].exit_code, cases[i].signal);
                json_t *answer = fusion_answer_code(&r, &a);
                assert_string_equal(text_at(answer, "status", NULL), cases[i].outer);
                assert_string_equal(text_at(answer, "run_result", "status"), cases[i].run);
                json_t *code = at(answer, "run_result", "return_code");
                if (cases[i].return_code == NO_CODE)
                        assert_true(json_is_null(code));
                else
                        assert_int_equal(json_integer_value(code), cases[i].return_code);
                const char *said = text_at(answer, "message", NULL);
                if (*cases[i].said ? !strstr(said, cases[i].said) : *said != '\0')
                        fail_msg("case %zu says \"%s\"", i, said);
                assert_string_equal(text_at(answer, "run_result", "stdout"), "out\n");
                assert_string_equal(text_at(answer, "run_result", "stderr"), "err");
                assert_true(json_real_value(at(answer, "run_result", "execution_time")) == 1.5);
                assert_true(json_is_null(at(answer, "compile_result", NULL)));
                assert_true(json_is_null(at(answer, "executor_pod_name", NULL)));
                json_decref(answer);
        }
}

static void a_failed_compile_has_no_run(void **state)
{
        const struct fusion_request r = request_for("cpp");
        struct answer a = result(ENDED(COMPILE_ERROR), 1, 0);

        (void)state;
        a.m.answer.result.has_compile = true;
        a.m.answer.result.compile =
                (hatchery_v1_CompileStage){ .status = ENDED(EXITED), .exit_code = 1, .compile_us = 250000 };
        a.compile_err = span_of_text("main.cpp:1: error");
        json_t *answer = fusion_answer_code(&r, &a);
        assert_string_equal(text_at(answer, "status", NULL), "Failed");
        assert_string_equal(text_at(answer, "compile_result", "status"), "Finished");
        assert_int_equal(json_integer_value(at(answer, "compile_result", "return_code")), 1);
        assert_string_equal(text_at(answer, "compile_result", "stderr"), "main.cpp:1: error");
        assert_true(json_is_null(at(answer, "run_result", NULL)));
        json_decref(answer);

        a.m.answer.result.compile.status = ENDED(TIME_LIMIT);
        answer = fusion_answer_code(&r, &a);
        assert_string_equal(text_at(answer, "compile_result", "status"), "TimeLimitExceeded");
        assert_true(json_is_null(at(answer, "compile_result", "return_code")));
        assert_non_null(strstr(text_at(answer, "message", NULL), "the compiler was killed"));
        json_decref(answer);
}

static void cut_output_and_refused_processes_are_told(void **state)
{
        const struct fusion_request r = request_for("python");
        struct answer a = result(ENDED(EXITED), 0, 0);

        (void)state;
        a.m.answer.result.stdout_truncated = true;
        a.m.answer.result.stdout_total = 1000;
        a.m.answer.result.pids_denied = 3;
        json_t *answer = fusion_answer_code(&r, &a);
        assert_string_equal(text_at(answer, "status", NULL), "Success");
        assert_non_null(strstr(text_at(answer, "message", NULL), "the first 4 of 1000 bytes"));
        assert_non_null(strstr(text_at(answer, "message", NULL), "3 processes or threads"));
        json_decref(answer);
}

static void output_that_is_not_utf_8_is_made_so(void **state)
{
        const struct fusion_request r = request_for("python");
        struct answer a = result(ENDED(EXITED), 0, 0);

        (void)state;
        a.out = (struct span){ (const uint8_t *)"a\xff\0b", 4 };
        json_t *answer = fusion_answer_code(&r, &a);
        json_t *out = at(answer, "run_result", "stdout");
        assert_int_equal(json_string_length(out), 6);
        assert_memory_equal(json_string_value(out), "a\xef\xbf\xbd\0b", 6);
        json_decref(answer);
}

static void java_tells_of_compiling_and_hides_our_variable(void **state)
{
        const struct fusion_request r = request_for("java");
        struct answer a = result(ENDED(EXITED), 1, 0);

        (void)state;
        a.err = span_of_text(FUSION_JAVA_NOTE "Exception");
        json_t *answer = fusion_answer_code(&r, &a);
        assert_string_equal(text_at(answer, "compile_result", "status"), "Finished");
        assert_true(json_is_null(at(answer, "compile_result", "execution_time")));
        assert_string_equal(text_at(answer, "run_result", "stderr"), "Exception");
        json_decref(answer);
}

static void fetched_files_have_the_names_of_the_request(void **state)
{
        char absolute[] = "/home/sandbox/a", dotted[] = "./a", name[] = "a", none[] = "none";
        struct fusion_fetch fetch[] = { { absolute, name }, { dotted, name }, { none, none } };
        struct file_span files[] = { { .name = span_of_text("a"), .content = span_of_text("hi") },
                                     { .name = span_of_text("b"), .content = span_of_text("other") } };
        struct fusion_request r = request_for("python");
        struct answer a = result(ENDED(EXITED), 0, 0);

        (void)state;
        r.fetch = fetch;
        r.n_fetch = 3;
        a.files = files;
        a.n_files = 2;
        json_t *answer = fusion_answer_code(&r, &a);
        assert_int_equal(json_object_size(at(answer, "files", NULL)), 2);
        assert_string_equal(text_at(answer, "files", "/home/sandbox/a"), "aGk=");
        assert_string_equal(text_at(answer, "files", "./a"), "aGk=");
        assert_non_null(strstr(text_at(answer, "message", NULL), "none is not among"));
        json_decref(answer);
}

/* ---------------------------------------------------------------- notebooks */

static json_t *notebook(struct answer *a, size_t n_cells, const char *out, const char *err)
{
        struct fusion_request r = request_for("python");

        r.is_jupyter = true;
        r.n_cells = n_cells;
        memcpy(r.mark, MARK, sizeof r.mark);
        a->out = span_of_text(out);
        a->err = span_of_text(err);
        json_t *answer = fusion_answer_jupyter(&r, a);
        assert_non_null(answer);
        return answer;
}

static json_t *cell(json_t *answer, size_t i, const char *field)
{
        return json_object_get(json_array_get(at(answer, "cells", NULL), i), field);
}

#define B(n)      MARK "B" n "\n"
#define R(record) MARK "R" record "\n"
#define DONE      R("{\"display\":[],\"error\":[],\"cut\":false}")
#define FINISH    MARK "Fend\n"

static void the_streams_are_taken_apart_by_cell(void **state)
{
        struct answer a = result(ENDED(EXITED), 0, 0);
        json_t *answer = notebook(&a, 2,
                                  "before" B("0") "one\ntwo" R("{\"display\":[{\"text/plain\":\"7\"}],\"error\":[]}") //
                                  "late" B("1") R("{\"display\":[],\"error\":[{\"ename\":\"E\"}]}") FINISH,
                                  B("0") "e0" B("1") "e1");

        (void)state;
        assert_string_equal(text_at(answer, "status", NULL), "Success");
        assert_string_equal(text_at(answer, "message", NULL), "");
        assert_string_equal(text_at(answer, "driver", "stdout"), "before");
        assert_string_equal(json_string_value(cell(answer, 0, "stdout")), "one\ntwolate");
        assert_string_equal(json_string_value(cell(answer, 0, "stderr")), "e0");
        assert_string_equal(text_at(json_array_get(cell(answer, 0, "display"), 0), "text/plain", NULL), "7");
        assert_int_equal(json_array_size(cell(answer, 0, "error")), 0);
        assert_string_equal(json_string_value(cell(answer, 1, "stdout")), "");
        assert_string_equal(text_at(json_array_get(cell(answer, 1, "error"), 0), "ename", NULL), "E");
        json_decref(answer);
}

static void a_python_that_ends_early_keeps_what_was_there(void **state)
{
        struct answer a = result(ENDED(SIGNALED), 0, 11);
        json_t *answer = notebook(&a, 3, B("0") "x" DONE B("1") "y", B("0") B("1"));

        (void)state;
        assert_string_equal(text_at(answer, "status", NULL), "Failed");
        assert_int_equal(json_array_size(at(answer, "cells", NULL)), 2);
        assert_string_equal(json_string_value(cell(answer, 1, "stdout")), "y");
        assert_string_equal(text_at(json_array_get(cell(answer, 1, "error"), 0), "ename", NULL), "DeadKernelError");
        assert_non_null(strstr(text_at(answer, "message", NULL), "ended in cell 1"));
        json_decref(answer);
}

static void a_run_that_is_killed_for_its_time_says_in_which_cell(void **state)
{
        struct answer a = result(ENDED(TIME_LIMIT), 0, 9);
        json_t *answer = notebook(&a, 3, B("0") DONE B("1") "y", B("0") B("1"));

        (void)state;
        assert_string_equal(text_at(answer, "driver", "status"), "TimeLimitExceeded");
        assert_string_equal(text_at(json_array_get(cell(answer, 1, "error"), 0), "ename", NULL), "TimeLimitExceeded");
        assert_non_null(strstr(text_at(answer, "message", NULL), "total_timeout was over in cell 1"));
        json_decref(answer);
}

static void the_end_of_the_total_time_is_told(void **state)
{
        struct answer a = result(ENDED(EXITED), 0, 0);
        json_t *answer = notebook(&a, 2, B("0") DONE MARK "Ftime\n", B("0"));

        (void)state;
        assert_string_equal(text_at(answer, "status", NULL), "Failed");
        assert_string_equal(text_at(answer, "driver", "status"), "TimeLimitExceeded");
        assert_true(json_is_null(at(answer, "driver", "return_code")));
        json_decref(answer);
}

/* Whatever a cell writes, an answer comes, and no memory is overrun (the sanitizers would report it). */
static void forged_and_torn_marks_do_no_harm(void **state)
{
        static const char *const streams[] = {
                "",
                MARK,
                MARK "B",
                MARK "B\n",
                MARK "B99999999999999999999999\n",
                MARK "B2\n",
                MARK "B-1\n",
                B("0") MARK "B7\nx" MARK "B7\n",
                MARK "R{}\n",
                MARK "Rnot json\n",
                B("1") "x" B("0") "y" B("1") "z" B("1"),
                B("0") R("{}") R("[]") R("") DONE DONE,
                MARK MARK MARK MARK "Q\n" MARK "\n",
                B("0") MARK "F\nF" FINISH FINISH,
        };
        (void)state;
        for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
                for (size_t j = 0; j < sizeof streams / sizeof streams[0]; j++) {
                        struct answer a = result(ENDED(EXITED), 0, 0);
                        json_t *answer = notebook(&a, 2, streams[i], streams[j]);
                        assert_true(json_array_size(at(answer, "cells", NULL)) <= 2);
                        json_decref(answer);
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_end_has_its_status_code_and_sentence),
                cmocka_unit_test(a_failed_compile_has_no_run),
                cmocka_unit_test(cut_output_and_refused_processes_are_told),
                cmocka_unit_test(output_that_is_not_utf_8_is_made_so),
                cmocka_unit_test(java_tells_of_compiling_and_hides_our_variable),
                cmocka_unit_test(fetched_files_have_the_names_of_the_request),
                cmocka_unit_test(the_streams_are_taken_apart_by_cell),
                cmocka_unit_test(a_python_that_ends_early_keeps_what_was_there),
                cmocka_unit_test(a_run_that_is_killed_for_its_time_says_in_which_cell),
                cmocka_unit_test(the_end_of_the_total_time_is_told),
                cmocka_unit_test(forged_and_torn_marks_do_no_harm),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
