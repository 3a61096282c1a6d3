/* The answers that a client gets for outcomes and refusals. */
#include "pool/native/answers.h"

#include "tests/unit/unit.h"

static void all_of_an_outcome_is_told(void **state)
{
        (void)state;
        struct file_span files[1] = { { .name = span_of_text("a") } };
        const struct outcome o = {
                .end = { .status = OUTCOME_DISK_LIMIT,
                         .exit_code = 3,
                         .signal = 9,
                         .wall_us = 10,
                         .cpu_us = 11,
                         .cpu_user_us = 12,
                         .cpu_system_us = 13,
                         .memory_peak_bytes = 14,
                         .disk_bytes = 15,
                         .pids_denied = 16,
                         .processes_peak = 17,
                         .oom_killed = true },
                .output = { .out = span_of_text("o"),
                            .err = span_of_text("e"),
                            .out_total = 21,
                            .err_total = 22,
                            .err_truncated = true },
                .has_compile = true,
                .compile = { .end = { .status = OUTCOME_CPU_LIMIT,
                                      .exit_code = 4,
                                      .signal = 5,
                                      .wall_us = 31,
                                      .cpu_us = 32,
                                      .memory_peak_bytes = 33 },
                             .output = { .out = span_of_text("co"), .err = span_of_text("ce"), .out_truncated = true },
                             .compile_us = 34,
                             .cached = true },
                .files = files,
                .n_files = 1,
                .files_note = "too many",
                .queue_us = 41,
                .warm_us = 42,
                .stage_us = { 51, 52, 53, 54, 55 },
                .sandbox = "0123-7",
                .language = "x",
                .language_version = "X 1",
        };
        struct answer a;
        const hatchery_v1_Result *r = &a.m.answer.result;

        answers_result(&a, 8, &o);
        assert_int_equal(a.m.id, 8);
        assert_int_equal(a.m.which_answer, hatchery_v1_ServerMessage_result_tag);
        assert_int_equal(r->status, hatchery_v1_Result_Status_DISK_LIMIT);
        assert_true(r->exit_code == 3 && r->signal == 9 && r->wall_us == 10 && r->cpu_us == 11);
        assert_true(r->cpu_user_us == 12 && r->cpu_system_us == 13 && r->memory_peak_bytes == 14);
        assert_true(r->disk_bytes == 15 && r->pids_denied == 16 && r->processes_peak == 17 && r->oom_killed);
        assert_span_text(a.out, "o");
        assert_span_text(a.err, "e");
        assert_true(r->stdout_total == 21 && r->stderr_total == 22 && !r->stdout_truncated && r->stderr_truncated);
        assert_true(r->queue_us == 41 && r->warm_us == 42 && r->has_stages);
        assert_true(r->stages.queue_us == 51 && r->stages.dispatch_us == 52 && r->stages.run_us == 53);
        assert_true(r->stages.drain_us == 54 && r->stages.collect_us == 55);
        assert_string_equal(r->sandbox, "0123-7");
        assert_string_equal(r->language, "x");
        assert_string_equal(r->language_version, "X 1");
        assert_ptr_equal(a.files, files);
        assert_int_equal(a.n_files, 1);
        assert_true(r->files_incomplete);
        assert_string_equal(r->files_note, "too many");

        const hatchery_v1_CompileStage *c = &r->compile;
        assert_true(r->has_compile && c->cached && c->compile_us == 34);
        assert_int_equal(c->status, hatchery_v1_Result_Status_CPU_LIMIT);
        assert_true(c->exit_code == 4 && c->signal == 5 && c->wall_us == 31 && c->cpu_us == 32);
        assert_true(c->memory_peak_bytes == 33 && c->stdout_truncated && !c->stderr_truncated);
        assert_span_text(a.compile_out, "co");
        assert_span_text(a.compile_err, "ce");
}

static void what_an_outcome_does_not_have_is_not_told(void **state)
{
        (void)state;
        const struct outcome o = { .end.status = OUTCOME_EXITED, .language = "", .language_version = "" };
        struct answer a;
        const hatchery_v1_Result *r = &a.m.answer.result;

        answers_result(&a, 1, &o);
        assert_true(!r->has_compile && !r->files_incomplete && r->files_note[0] == '\0' && a.n_files == 0);
        assert_true(r->has_stages && a.out.len == 0 && a.compile_out.len == 0);
}

static void a_refusal_is_told_whole(void **state)
{
        (void)state;
        struct refusal refusal = { .code = REFUSAL_UNAVAILABLE, .retry_after_ms = 5 };
        struct answer a;

        memset(refusal.text, 'x', sizeof refusal.text - 1);
        answers_refusal(&a, 2, &refusal);
        assert_int_equal(a.m.id, 2);
        assert_int_equal(a.m.which_answer, hatchery_v1_ServerMessage_error_tag);
        assert_int_equal(a.m.answer.error.code, hatchery_v1_Error_Code_UNAVAILABLE);
        assert_int_equal(a.m.answer.error.retry_after_ms, 5);
        assert_string_equal(a.m.answer.error.message, refusal.text);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_of_an_outcome_is_told),
                cmocka_unit_test(what_an_outcome_does_not_have_is_not_told),
                cmocka_unit_test(a_refusal_is_told_whole),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
