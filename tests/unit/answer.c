/* Answers: the client decodes every field that the server encodes, and a damaged answer does no harm. */
#include "proto/wire/answer.h"

#include "proto/base/own.h"
#include "tests/unit/mutate.h"
#include "tests/unit/unit.h"
#include "tests/unit/wirebuf.h"

#include <errno.h>
#include <stdlib.h>

#define ID(name) hatchery_v1_##name##_tag

static uint8_t *encode(struct answer *a, size_t *len)
{
        enum { ROOM = 5 };
        OWN_MEM uint8_t *padded = NULL;
        struct err e = { 0 };
        assert_int_equal(answer_encode(a, ROOM, &padded, len, &e), 0);

        /* Copies into a block of exactly the message's length. */
        uint8_t *exact = malloc(*len ? *len : 1);
        assert_non_null(exact);
        memcpy(exact, padded + ROOM, *len);
        return exact;
}

static uint8_t *full_result(size_t *len)
{
        struct file_span files[] = {
                { .name = span_of_text("out.txt"), .content = span_of_text("42\n"), .mode = 0644 },
                { .name = span_of_text("bad\xef\xbf\xbd"), .raw_name = span_of_text("bad\xff"), .mode = 0600 },
        };
        struct answer a = { .m.id = UINT64_MAX,
                            .m.which_answer = ID(ServerMessage_result),
                            .out = { (const uint8_t *)"o\0ut", 4 },
                            .err = { (const uint8_t *)"\xff", 1 },
                            .compile_out = { (const uint8_t *)"\0c", 2 },
                            .compile_err = { (const uint8_t *)"warning: \xff", 10 },
                            .files = files,
                            .n_files = 2 };
        hatchery_v1_Result *r = &a.m.answer.result;
        r->status = hatchery_v1_Result_Status_MEMORY_LIMIT;
        r->exit_code = -1;
        r->signal = 9;
        r->stdout_truncated = r->stderr_truncated = r->files_incomplete = r->oom_killed = true;
        r->stdout_total = 1;
        r->stderr_total = UINT64_MAX;
        r->wall_us = 2;
        r->cpu_us = 3;
        r->cpu_user_us = 4;
        r->cpu_system_us = 5;
        r->memory_peak_bytes = 6;
        r->processes_peak = UINT32_MAX;
        r->disk_bytes = 7;
        r->pids_denied = UINT64_MAX;
        r->queue_us = 8;
        r->warm_us = 9;
        r->has_stages = true;
        r->stages = (hatchery_v1_Stages){ 10, 11, 12, 13, UINT64_MAX };
        r->has_compile = true;
        r->compile.cached = r->compile.stdout_truncated = r->compile.stderr_truncated = true;
        r->compile.compile_us = 14;
        r->compile.status = hatchery_v1_Result_Status_TIME_LIMIT;
        r->compile.exit_code = -2;
        r->compile.signal = 15;
        r->compile.wall_us = 16;
        r->compile.cpu_us = 17;
        r->compile.memory_peak_bytes = UINT64_MAX;
        strcpy(r->files_note, "one file was too large");
        memset(r->sandbox, 's', sizeof r->sandbox - 1);
        strcpy(r->language, "python");
        strcpy(r->language_version, "3.11.2");
        memset(r->trace, 't', sizeof r->trace - 1);
        return encode(&a, len);
}

static void a_result_with_every_field_comes_through(void **state)
{
        (void)state;
        size_t len;
        OWN_MEM uint8_t *data = full_result(&len);
        struct answer a;
        struct err e = { 0 };
        const hatchery_v1_Result *r = &a.m.answer.result;

        assert_int_equal(answer_decode(&a, data, len, &e), 0);
        assert_true(a.m.id == UINT64_MAX);
        assert_int_equal(a.m.which_answer, ID(ServerMessage_result));
        assert_int_equal(r->status, hatchery_v1_Result_Status_MEMORY_LIMIT);
        assert_int_equal(r->exit_code, -1);
        assert_int_equal(r->signal, 9);
        assert_span_equal(a.out, "o\0ut", 4);
        assert_span_equal(a.err, "\xff", 1);
        assert_true(r->stdout_truncated && r->stderr_truncated && r->files_incomplete && r->oom_killed);
        assert_true(r->stdout_total == 1 && r->stderr_total == UINT64_MAX);
        assert_true(r->wall_us == 2 && r->cpu_us == 3 && r->cpu_user_us == 4 && r->cpu_system_us == 5);
        assert_true(r->memory_peak_bytes == 6 && r->processes_peak == UINT32_MAX && r->disk_bytes == 7);
        assert_true(r->pids_denied == UINT64_MAX);
        assert_true(r->queue_us == 8 && r->warm_us == 9);
        assert_true(r->has_stages && r->stages.queue_us == 10 && r->stages.dispatch_us == 11);
        assert_true(r->stages.run_us == 12 && r->stages.drain_us == 13 && r->stages.collect_us == UINT64_MAX);
        assert_true(r->has_compile && r->compile.cached && r->compile.stdout_truncated && r->compile.stderr_truncated);
        assert_true(r->compile.compile_us == 14 && r->compile.exit_code == -2 && r->compile.signal == 15);
        assert_int_equal(r->compile.status, hatchery_v1_Result_Status_TIME_LIMIT);
        assert_true(r->compile.wall_us == 16 && r->compile.cpu_us == 17);
        assert_true(r->compile.memory_peak_bytes == UINT64_MAX);
        assert_span_equal(a.compile_out, "\0c", 2);
        assert_span_equal(a.compile_err, "warning: \xff", 10);
        assert_string_equal(r->files_note, "one file was too large");
        assert_int_equal(strlen(r->sandbox), sizeof r->sandbox - 1);
        assert_string_equal(r->language, "python");
        assert_string_equal(r->language_version, "3.11.2");
        assert_int_equal(strlen(r->trace), sizeof r->trace - 1);
        assert_int_equal(a.n_files, 2);
        assert_span_text(a.files[0].name, "out.txt");
        assert_span_text(a.files[0].content, "42\n");
        assert_int_equal(a.files[0].mode, 0644);
        assert_int_equal(a.files[0].raw_name.len, 0);
        assert_span_text(a.files[1].name, "bad\xef\xbf\xbd");
        assert_span_text(a.files[1].raw_name, "bad\xff");

        size_t again_len;
        OWN_MEM uint8_t *again = encode(&a, &again_len);
        assert_int_equal(again_len, len);
        assert_memory_equal(again, data, len);
        answer_fini(&a);
        answer_fini(&a);
        assert_int_equal(a.n_files, 0);
}

static uint8_t *full_status(size_t *len)
{
        hatchery_v1_LanguageStatus languages[] = {
                { .name = "python",
                  .version = "3.11.2",
                  .warm = 1,
                  .running = 2,
                  .preparing = 3,
                  .queued = 4,
                  .runs = 5,
                  .failures = 6,
                  .discarded = 7,
                  .recycle_p50_us = 8,
                  .recycle_p99_us = 9,
                  .ready = true,
                  .generation = 10,
                  .forks = 11,
                  .zygotes = 12,
                  .stages_count = 2,
                  .stages = { { .name = "queue",
                                .count = 1,
                                .sum_us = 2,
                                .p50_us = 3,
                                .p90_us = 4,
                                .p99_us = 5,
                                .max_us = 6 },
                              { .name = "a long stage's ", .sum_us = UINT64_MAX } },
                  .warm_target = 13,
                  .warm_min = 14,
                  .warm_max = 15,
                  .sandbox_bytes = 16,
                  .kind = hatchery_v1_LanguageStatus_Kind_COMPILED,
                  .aliases_count = 2,
                  .aliases = { "python3", "an alias that is long  " },
                  .echoes = true,
                  .preloads_count = 2,
                  .preloads = { { "json", false, 17, 18 }, { .name = "numpy", .missing = true } },
                  .extensions_count = 2,
                  .extensions = { "py", "pyw" },
                  .interpreters_count = 1,
                  .interpreters = { "python3" } },
                { .name = "lua", .runs = UINT64_MAX },
        };
        struct answer a = { .m = { .id = 3, .which_answer = ID(ServerMessage_status) },
                            .languages = languages,
                            .n_languages = 2 };
        a.m.answer.status = (hatchery_v1_Status){ .server_version = "0.1.0",
                                                  .uptime_us = 10,
                                                  .connections = 11,
                                                  .queued = 12,
                                                  .ready = true,
                                                  .draining = true };
        return encode(&a, len);
}

static void a_status_with_every_field_comes_through(void **state)
{
        (void)state;
        size_t len;
        OWN_MEM uint8_t *data = full_status(&len);
        struct answer a;
        struct err e = { 0 };
        const hatchery_v1_Status *s = &a.m.answer.status;

        assert_int_equal(answer_decode(&a, data, len, &e), 0);
        assert_int_equal(a.m.which_answer, ID(ServerMessage_status));
        assert_string_equal(s->server_version, "0.1.0");
        assert_true(s->uptime_us == 10 && s->connections == 11 && s->queued == 12 && s->ready && s->draining);
        assert_int_equal(a.n_languages, 2);
        const hatchery_v1_LanguageStatus *l = &a.languages[0];
        assert_string_equal(l->name, "python");
        assert_string_equal(l->version, "3.11.2");
        assert_true(l->warm == 1 && l->running == 2 && l->preparing == 3 && l->queued == 4 && l->runs == 5);
        assert_true(l->failures == 6 && l->discarded == 7 && l->recycle_p50_us == 8 && l->recycle_p99_us == 9);
        assert_true(l->ready && l->generation == 10 && l->forks == 11 && l->zygotes == 12);
        assert_int_equal(l->stages_count, 2);
        const hatchery_v1_StageStatus *stage = l->stages;
        assert_string_equal(stage[0].name, "queue");
        assert_true(stage[0].count == 1 && stage[0].sum_us == 2 && stage[0].p50_us == 3 && stage[0].p90_us == 4);
        assert_true(stage[0].p99_us == 5 && stage[0].max_us == 6);
        assert_string_equal(stage[1].name, "a long stage's ");
        assert_true(stage[1].sum_us == UINT64_MAX && stage[1].count == 0);
        assert_true(l->warm_target == 13 && l->warm_min == 14 && l->warm_max == 15 && l->sandbox_bytes == 16);
        assert_int_equal(l->kind, hatchery_v1_LanguageStatus_Kind_COMPILED);
        assert_true(l->echoes);
        assert_int_equal(l->aliases_count, 2);
        assert_string_equal(l->aliases[0], "python3");
        assert_string_equal(l->aliases[1], "an alias that is long  ");
        assert_int_equal(l->extensions_count, 2);
        assert_string_equal(l->extensions[1], "pyw");
        assert_int_equal(l->interpreters_count, 1);
        assert_string_equal(l->interpreters[0], "python3");
        assert_int_equal(l->preloads_count, 2);
        assert_string_equal(l->preloads[0].name, "json");
        assert_true(l->preloads[0].first_us == 17 && l->preloads[0].again_us == 18 && !l->preloads[0].missing);
        assert_true(l->preloads[1].missing);
        assert_string_equal(a.languages[1].name, "lua");
        assert_int_equal(a.languages[1].stages_count, 0);
        assert_true(a.languages[1].runs == UINT64_MAX);

        size_t again_len;
        OWN_MEM uint8_t *again = encode(&a, &again_len);
        assert_int_equal(again_len, len);
        assert_memory_equal(again, data, len);
        answer_fini(&a);
}

static uint8_t *full_error(size_t *len)
{
        struct answer a = { .m = { .id = 4, .which_answer = ID(ServerMessage_error) } };
        a.m.answer.error.code = hatchery_v1_Error_Code_RESOURCE_EXHAUSTED;
        a.m.answer.error.retry_after_ms = 250;
        memset(a.m.answer.error.message, 'm', sizeof a.m.answer.error.message - 1);
        return encode(&a, len);
}

static void an_error_comes_through(void **state)
{
        (void)state;
        size_t len;
        OWN_MEM uint8_t *data = full_error(&len);
        struct answer a;
        struct err e = { 0 };
        assert_int_equal(answer_decode(&a, data, len, &e), 0);
        assert_int_equal(a.m.which_answer, ID(ServerMessage_error));
        assert_int_equal(a.m.answer.error.code, hatchery_v1_Error_Code_RESOURCE_EXHAUSTED);
        assert_int_equal(a.m.answer.error.retry_after_ms, 250);
        assert_int_equal(strlen(a.m.answer.error.message), sizeof a.m.answer.error.message - 1);
        answer_fini(&a);
}

static void pong_and_cancelled_come_through(void **state)
{
        (void)state;
        struct answer pong = { .m = { .id = 5, .which_answer = ID(ServerMessage_pong) } }, a;
        struct answer cancelled = { .m = { .id = 0, .which_answer = ID(ServerMessage_cancelled) } };
        struct err e = { 0 };
        size_t len;

        strcpy(pong.m.answer.pong.server_version, "0.1.0");
        OWN_MEM uint8_t *data = encode(&pong, &len);
        assert_int_equal(answer_decode(&a, data, len, &e), 0);
        assert_int_equal(a.m.id, 5);
        assert_int_equal(a.m.which_answer, ID(ServerMessage_pong));
        assert_string_equal(a.m.answer.pong.server_version, "0.1.0");

        for (int found = 0; found <= 1; found++) {
                cancelled.m.answer.cancelled.found = found;
                OWN_MEM uint8_t *bytes = encode(&cancelled, &len);
                assert_int_equal(answer_decode(&a, bytes, len, &e), 0);
                assert_int_equal(a.m.id, 0);
                assert_int_equal(a.m.which_answer, ID(ServerMessage_cancelled));
                assert_int_equal(a.m.answer.cancelled.found, found);
        }
}

static void large_output_and_many_files_come_through(void **state)
{
        (void)state;
        const size_t sizes[] = { 65535, 65536, 1 << 20, 40 << 20 };
        enum { FILES = 4097 };
        OWN_MEM struct file_span *files = calloc(FILES, sizeof *files);
        assert_non_null(files);
        for (size_t i = 0; i < FILES; i++)
                files[i] = (struct file_span){ .name = span_of_text("f"), .content = span_of_text("c") };

        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                OWN_MEM uint8_t *big = malloc(sizes[i]);
                assert_non_null(big);
                memset(big, 0xa5, sizes[i]);
                struct answer a = { .m = { .id = 1, .which_answer = ID(ServerMessage_result) },
                                    .out = { big, sizes[i] },
                                    .err = { big, sizes[i] / 2 },
                                    .files = files,
                                    .n_files = i % 2 ? FILES : 1 };
                struct answer back;
                struct err e = { 0 };
                size_t len;
                OWN_MEM uint8_t *data = encode(&a, &len);
                assert_int_equal(answer_decode(&back, data, len, &e), 0);
                assert_span_equal(back.out, big, sizes[i]);
                assert_span_equal(back.err, big, sizes[i] / 2);
                assert_int_equal(back.n_files, a.n_files);
                answer_fini(&back);
        }
}

static void a_sentence_cut_within_a_character_is_sent_as_utf8(void **state)
{
        (void)state;
        struct answer a = { .m = { .id = 1, .which_answer = ID(ServerMessage_error) } }, back;
        struct err e = { 0 };
        size_t len;
        strcpy(a.m.answer.error.message, "no such language: \xc3");
        OWN_MEM uint8_t *data = encode(&a, &len);
        assert_int_equal(answer_decode(&back, data, len, &e), 0);
        assert_string_equal(back.m.answer.error.message, "no such language: ?");
}

static void a_string_without_an_end_is_not_encoded(void **state)
{
        (void)state;
        struct answer a = { .m = { .id = 1, .which_answer = ID(ServerMessage_pong) } };
        uint8_t *out = NULL;
        size_t len;
        struct err e = { 0 };
        memset(a.m.answer.pong.server_version, 'x', sizeof a.m.answer.pong.server_version);
        assert_refused(answer_encode(&a, 0, &out, &len, &e), &e, EINVAL, "encoded");
        assert_null(out);
}

static void an_answer_of_no_kind_is_not_encoded(void **state)
{
        (void)state;
        struct answer a = { .m.id = 1 };
        uint8_t *out = NULL;
        size_t len;
        struct err e = { 0 };
        assert_refused(answer_encode(&a, 0, &out, &len, &e), &e, EINVAL, "no kind");
        assert_null(out);
}

/* ---------------------------------------------------------------- damage */

static void check_is_refused(const uint8_t *data, size_t len)
{
        struct answer a;
        struct err e = { 0 };
        int rc = answer_decode(&a, data, len, &e);
        answer_fini(&a);
        assert_int_equal(rc, -EPROTO);
        assert_true(e.text[0] != '\0');
}

static void assert_inside(struct span s, const uint8_t *data, size_t len)
{
        if (s.len > 0)
                assert_true(s.data >= data && s.len <= len && (size_t)(s.data - data) <= len - s.len);
}

static void check_is_refused_or_sound(const uint8_t *data, size_t len)
{
        struct answer a;
        struct err e = { 0 };
        int rc = answer_decode(&a, data, len, &e);
        if (rc == 0) {
                assert_inside(a.out, data, len);
                assert_inside(a.err, data, len);
                for (size_t i = 0; i < a.n_files; i++) {
                        assert_inside(a.files[i].name, data, len);
                        assert_inside(a.files[i].content, data, len);
                        assert_inside(a.files[i].raw_name, data, len);
                }
                size_t again_len;
                free(encode(&a, &again_len));
        } else {
                assert_int_equal(rc, -EPROTO);
                assert_true(e.text[0] != '\0');
        }
        answer_fini(&a);
}

static void a_cut_answer_is_refused_and_a_damaged_one_refused_or_sound(void **state)
{
        (void)state;
        uint8_t *(*const makers[])(size_t *) = { full_result, full_status, full_error };
        for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) {
                size_t len;
                OWN_MEM uint8_t *data = makers[i](&len);
                mutate_truncate(data, len, check_is_refused);
                mutate_flip(data, len, 3 + i, 20000, check_is_refused_or_sound);
        }
}

static void numbers_have_the_names_of_the_proto(void **state)
{
        (void)state;
        assert_string_equal(answer_status_name(hatchery_v1_Result_Status_EXITED), "EXITED");
        assert_string_equal(answer_status_name(hatchery_v1_Result_Status_CANCELLED), "CANCELLED");
        assert_string_equal(answer_status_name(10), "?");
        assert_string_equal(answer_status_name(-1), "?");
        assert_string_equal(answer_code_name(hatchery_v1_Error_Code_INVALID_ARGUMENT), "INVALID_ARGUMENT");
        assert_string_equal(answer_code_name(hatchery_v1_Error_Code_UNAUTHENTICATED), "UNAUTHENTICATED");
        assert_string_equal(answer_code_name(2), "?");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_result_with_every_field_comes_through),
                cmocka_unit_test(a_status_with_every_field_comes_through),
                cmocka_unit_test(an_error_comes_through),
                cmocka_unit_test(pong_and_cancelled_come_through),
                cmocka_unit_test(large_output_and_many_files_come_through),
                cmocka_unit_test(a_sentence_cut_within_a_character_is_sent_as_utf8),
                cmocka_unit_test(a_string_without_an_end_is_not_encoded),
                cmocka_unit_test(an_answer_of_no_kind_is_not_encoded),
                cmocka_unit_test(a_cut_answer_is_refused_and_a_damaged_one_refused_or_sound),
                cmocka_unit_test(numbers_have_the_names_of_the_proto),
        };
        return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
