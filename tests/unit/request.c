/* Requests: every field is decoded as it was encoded, and a damaged message does no harm. */
#include "proto/wire/request.h"

#include "hatchery.pb.h"
#include "proto/base/own.h"
#include "tests/unit/mutate.h"
#include "tests/unit/requests.h"
#include "tests/unit/unit.h"
#include "tests/unit/wirebuf.h"

#include <errno.h>
#include <stdlib.h>

static void a_request_with_every_field_comes_through(void **state)
{
        (void)state;
        size_t len;
        OWN_MEM uint8_t *data = requests_full(&len);
        struct request r;
        struct err e = { 0 };
        const struct submission *x = &r.execute;

        assert_int_equal(request_decode(&r, data, len, &e), 0);
        assert_true(r.id == UINT64_MAX);
        assert_int_equal(r.kind, REQUEST_EXECUTE);
        assert_span_text(x->language, "python");
        assert_true(x->has_code);
        assert_span_equal(x->code, "x\0y", 3);
        assert_span_text(x->entry, "a.py");
        assert_span_equal(x->standard_input, "in\0put", 6);
        assert_span_text(x->client, "guild 42");
        assert_int_equal(x->n_files, 3);
        assert_span_text(x->files[0].name, "a.py");
        assert_span_text(x->files[0].content, "print(1)");
        assert_int_equal(x->files[0].mode, 0755);
        assert_span_text(x->files[1].name, "dir/\xc3\xa4");
        assert_span_equal(x->files[1].content, "\0\xff", 2);
        assert_int_equal(x->files[1].mode, 0);
        assert_span_text(x->files[2].name, "empty");
        assert_int_equal(x->files[2].content.len, 0);
        assert_int_equal(x->n_args, 3);
        assert_span_text(x->args[0], "one");
        assert_span_text(x->args[1], "");
        assert_span_text(x->args[2], "three");
        assert_int_equal(x->n_env, 2);
        assert_span_text(x->env[0].name, "A");
        assert_span_text(x->env[0].value, "1");
        assert_span_text(x->env[1].name, "B");
        assert_span_text(x->env[1].value, "");
        for (size_t i = 0; i < LIMIT_COUNT; i++) {
                assert_true(x->has_limit[i]);
                assert_true(x->limit[i] == (int64_t)i - 3);
                assert_true(x->has_compile_limit[i]);
                assert_true(x->compile_limit[i] == 100 - (int64_t)i);
        }
        assert_true(x->has_compile_limits);
        assert_true(x->echo_last_expression);
        assert_true(x->unbuffered);
        assert_true(x->merge_stderr);
        assert_true(x->truncate_output);
        assert_true(x->has_collect);
        assert_int_equal(x->n_compile_flags, 2);
        assert_span_text(x->compile_flags[1], "-std=c++20");
        assert_int_equal(x->n_globs, 2);
        assert_span_text(x->globs[0], "*.txt");
        assert_span_text(x->globs[1], "**/out");
        assert_true(x->collect_max_files == UINT32_MAX);
        assert_true(x->collect_max_bytes == UINT64_MAX);
        assert_true(x->collect_changed_only);
        assert_true(x->deadline_us == 123456789012345);
        assert_int_equal(x->priority, 5);
        assert_span_text(x->run_id, "Run_7-a");
        assert_span_text(x->idempotency_key, "order:7/\"~");
        assert_true(r.execute_bytes.data > data);
        assert_ptr_equal(r.execute_bytes.data + r.execute_bytes.len, data + len);

        size_t again_len;
        OWN_MEM uint8_t *again = requests_encode(&r, &again_len);
        assert_int_equal(again_len, len);
        assert_memory_equal(again, data, len);
        request_fini(&r);
        request_fini(&r);
        assert_int_equal(x->n_files, 0);
}

static void an_empty_execute_leaves_everything_out(void **state)
{
        (void)state;
        struct wirebuf x = { 0 };
        struct request r;
        uint8_t *data;
        requests_decode_execute(&x, &r, &data);
        assert_false(r.execute.has_code);
        assert_false(r.execute.has_collect);
        assert_false(r.execute.merge_stderr);
        assert_false(r.execute.truncate_output);
        assert_int_equal(r.execute.n_files, 0);
        for (size_t i = 0; i < LIMIT_COUNT; i++)
                assert_false(r.execute.has_limit[i] || r.execute.has_compile_limit[i]);
        assert_false(r.execute.has_compile_limits || r.execute.echo_last_expression || r.execute.unbuffered);
        assert_int_equal(r.execute.run_id.len + r.execute.idempotency_key.len, 0);
        assert_false(r.has_on_behalf);
        request_fini(&r);
        free(data);
}

static void empty_code_is_not_absent_code(void **state)
{
        (void)state;
        struct request r = { .id = 1, .kind = REQUEST_EXECUTE, .execute.has_code = true }, back;
        struct err e = { 0 };
        size_t len;
        OWN_MEM uint8_t *data = requests_encode(&r, &len);
        assert_int_equal(request_decode(&back, data, len, &e), 0);
        assert_true(back.execute.has_code);
        assert_int_equal(back.execute.code.len, 0);
        request_fini(&back);
}

static void each_limit_has_its_own_field(void **state)
{
        (void)state;
        const uint32_t tags[LIMIT_COUNT] = {
                [LIMIT_WALL] = ID(Limits_wall_us),          [LIMIT_CPU] = ID(Limits_cpu_us),
                [LIMIT_MEMORY] = ID(Limits_memory_bytes),   [LIMIT_PIDS] = ID(Limits_pids),
                [LIMIT_OUTPUT] = ID(Limits_output_bytes),   [LIMIT_DISK] = ID(Limits_disk_bytes),
                [LIMIT_OPEN_FILES] = ID(Limits_open_files), [LIMIT_STACK] = ID(Limits_stack_bytes),
        };
        for (size_t i = 0; i < LIMIT_COUNT; i++) {
                struct wirebuf limits = { 0 }, x = { 0 };
                struct request r;
                uint8_t *data;
                wirebuf_number(&limits, tags[i], (uint64_t)-5);
                wirebuf_message(&x, ID(Execute_limits), &limits);
                requests_decode_execute(&x, &r, &data);
                for (size_t j = 0; j < LIMIT_COUNT; j++) {
                        assert_int_equal(r.execute.has_limit[j], i == j);
                        assert_true(r.execute.limit[j] == (i == j ? -5 : 0));
                }
                request_fini(&r);
                free(data);
        }
}

static void limits_of_the_compile_stage_are_not_those_of_the_run(void **state)
{
        (void)state;
        struct wirebuf run = { 0 }, compile = { 0 }, x = { 0 };
        struct request r;
        uint8_t *data;
        wirebuf_number(&run, ID(Limits_cpu_us), 1);
        wirebuf_number(&compile, ID(Limits_pids), 2);
        wirebuf_message(&x, ID(Execute_limits), &run);
        wirebuf_message(&x, ID(Execute_compile_limits), &compile);
        requests_decode_execute(&x, &r, &data);
        for (size_t i = 0; i < LIMIT_COUNT; i++) {
                assert_int_equal(r.execute.has_limit[i], i == LIMIT_CPU);
                assert_int_equal(r.execute.has_compile_limit[i], i == LIMIT_PIDS);
        }
        assert_true(r.execute.limit[LIMIT_CPU] == 1 && r.execute.compile_limit[LIMIT_PIDS] == 2);
        assert_true(r.execute.has_compile_limits);
        request_fini(&r);
        free(data);
}

static void limits_without_a_limit_and_collect_without_a_glob_are_taken(void **state)
{
        (void)state;
        struct wirebuf x = { 0 };
        struct request r;
        uint8_t *data;
        wirebuf_text(&x, ID(Execute_limits), "");
        wirebuf_text(&x, ID(Execute_collect), "");
        requests_decode_execute(&x, &r, &data);
        assert_true(r.execute.has_collect);
        assert_int_equal(r.execute.n_globs, 0);
        request_fini(&r);
        free(data);
}

static void the_small_requests_come_through(void **state)
{
        (void)state;
        const struct request requests[] = {
                { .id = 1, .kind = REQUEST_CANCEL, .request_id = 99 },
                { .id = 2, .kind = REQUEST_CANCEL },
                { .id = 3, .kind = REQUEST_PING },
                { .id = 4, .kind = REQUEST_STATUS },
                { .id = 5, .kind = REQUEST_CANCEL_RUN, .run_id = span_of_text("a-Z_09") },
        };
        for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
                struct request back;
                struct err e = { 0 };
                size_t len;
                OWN_MEM uint8_t *data = requests_encode(&requests[i], &len);
                assert_int_equal(request_decode(&back, data, len, &e), 0);
                assert_int_equal(back.id, requests[i].id);
                assert_int_equal(back.kind, requests[i].kind);
                assert_int_equal(back.request_id, requests[i].request_id);
                assert_span_equal(back.run_id, requests[i].run_id.data, requests[i].run_id.len);
                request_fini(&back);
        }
}

static void the_caller_of_a_request_comes_through(void **state)
{
        (void)state;
        const struct request r = {
                .id = 6,
                .has_on_behalf = true,
                .on_behalf = { .peer = requests_bytes("4\0\xff", 3), .trace = span_of_text("00-0af7-b7ad-01") },
                .kind = REQUEST_PING,
        };
        struct request back;
        struct err e = { 0 };
        size_t len;
        OWN_MEM uint8_t *data = requests_encode(&r, &len);
        assert_int_equal(request_decode(&back, data, len, &e), 0);
        assert_int_equal(back.kind, REQUEST_PING);
        assert_true(back.has_on_behalf);
        assert_span_equal(back.on_behalf.peer, "4\0\xff", 3);
        assert_span_text(back.on_behalf.trace, "00-0af7-b7ad-01");
}

static void large_bytes_are_taken_without_a_copy(void **state)
{
        (void)state;
        const size_t sizes[] = { 65535, 65536, 1 << 20, 40 << 20 };
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                OWN_MEM uint8_t *big = malloc(sizes[i]);
                assert_non_null(big);
                memset(big, 0xa5, sizes[i]);
                struct file_span file = { .name = span_of_text("f"), .content = requests_bytes(big, sizes[i]) };
                struct request r = { .id = 1,
                                     .kind = REQUEST_EXECUTE,
                                     .execute = { .has_code = true,
                                                  .code = requests_bytes(big, sizes[i]),
                                                  .files = &file,
                                                  .n_files = 1,
                                                  .standard_input = requests_bytes(big, sizes[i]) } },
                               back;
                struct err e = { 0 };
                size_t len;
                OWN_MEM uint8_t *data = requests_encode(&r, &len);
                assert_int_equal(request_decode(&back, data, len, &e), 0);
                assert_span_equal(back.execute.code, big, sizes[i]);
                assert_span_equal(back.execute.files[0].content, big, sizes[i]);
                assert_span_equal(back.execute.standard_input, big, sizes[i]);
                assert_true(back.execute.code.data > data && back.execute.code.data < data + len);
                request_fini(&back);
        }
}

static void fields_of_another_version_are_skipped(void **state)
{
        (void)state;
        struct wirebuf x = { 0 };
        struct request r;
        uint8_t *data;
        wirebuf_number(&x, 1000, UINT64_MAX);
        wirebuf_text(&x, 1001, "new");
        wirebuf_tag(&x, 1002, 1);
        wirebuf_raw(&x, "12345678", 8);
        wirebuf_tag(&x, 1003, 5);
        wirebuf_raw(&x, "1234", 4);
        wirebuf_text(&x, ID(Execute_language), "lua");
        requests_decode_execute(&x, &r, &data);
        assert_span_text(r.execute.language, "lua");
        request_fini(&r);
        free(data);
}

static void fields_may_come_in_any_order(void **state)
{
        (void)state;
        struct wirebuf m = { 0 };
        struct request r;
        struct err e = { 0 };
        size_t len;
        wirebuf_text(&m, ID(ClientMessage_ping), "");
        wirebuf_number(&m, ID(ClientMessage_id), 5);
        OWN_MEM uint8_t *data = wirebuf_finish(&m, &len);
        assert_int_equal(request_decode(&r, data, len, &e), 0);
        assert_int_equal(r.id, 5);
        assert_int_equal(r.kind, REQUEST_PING);
}

static void a_request_of_no_kind_is_not_encoded(void **state)
{
        (void)state;
        struct request r = { .id = 1 };
        uint8_t *out = NULL;
        size_t len;
        struct err e = { 0 };
        assert_refused(request_encode(&r, 0, &out, &len, &e), &e, EINVAL, "no kind");
        assert_null(out);
}

/* ---------------------------------------------------------------- damage */

static void assert_inside(struct span s, const uint8_t *data, size_t len)
{
        if (s.len > 0)
                assert_true(s.data >= data && s.len <= len && (size_t)(s.data - data) <= len - s.len);
}

static void check_is_refused(const uint8_t *data, size_t len)
{
        struct request r;
        struct err e = { 0 };
        int rc = request_decode(&r, data, len, &e);
        request_fini(&r);
        assert_int_equal(rc, -EPROTO);
        assert_true(e.text[0] != '\0');
        if (len > 11) /* the id and its tag are 11 bytes */
                assert_true(r.id == UINT64_MAX);
}

static void check_is_refused_or_sound(const uint8_t *data, size_t len)
{
        struct request r;
        struct err e = { 0 };
        int rc = request_decode(&r, data, len, &e);
        if (rc != 0) {
                request_fini(&r);
                assert_int_equal(rc, -EPROTO);
                assert_true(e.text[0] != '\0');
                return;
        }

        const struct submission *x = &r.execute;
        const struct span spans[] = { x->language,      x->code,           x->entry,       x->standard_input,
                                      x->client,        x->run_id,         r.run_id,       x->idempotency_key,
                                      r.on_behalf.peer, r.on_behalf.trace, r.execute_bytes };
        for (size_t i = 0; i < sizeof spans / sizeof *spans; i++)
                assert_inside(spans[i], data, len);
        for (size_t i = 0; i < x->n_files; i++) {
                assert_inside(x->files[i].name, data, len);
                assert_inside(x->files[i].content, data, len);
        }
        for (size_t i = 0; i < x->n_args; i++)
                assert_inside(x->args[i], data, len);
        for (size_t i = 0; i < x->n_env; i++) {
                assert_inside(x->env[i].name, data, len);
                assert_inside(x->env[i].value, data, len);
        }
        for (size_t i = 0; i < x->n_globs; i++)
                assert_inside(x->globs[i], data, len);
        for (size_t i = 0; i < x->n_compile_flags; i++)
                assert_inside(x->compile_flags[i], data, len);

        /* A decoded request can be encoded and decoded again. */
        struct request back;
        size_t again_len;
        uint8_t *again = requests_encode(&r, &again_len);
        assert_int_equal(request_decode(&back, again, again_len, &e), 0);
        assert_int_equal(back.kind, r.kind);
        assert_int_equal(back.execute.n_files, x->n_files);
        assert_int_equal(back.execute.n_args, x->n_args);
        assert_int_equal(back.execute.n_env, x->n_env);
        request_fini(&back);
        request_fini(&r);
        free(again);
}

static void a_request_cut_at_any_byte_is_refused(void **state)
{
        (void)state;
        size_t len;
        OWN_MEM uint8_t *data = requests_full(&len);
        mutate_truncate(data, len, check_is_refused);
}

static void a_damaged_request_is_refused_or_sound(void **state)
{
        (void)state;
        size_t len;
        OWN_MEM uint8_t *data = requests_full(&len);
        check_is_refused_or_sound(data, len);
        mutate_flip(data, len, 2, 50000, check_is_refused_or_sound);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_request_with_every_field_comes_through),
                cmocka_unit_test(an_empty_execute_leaves_everything_out),
                cmocka_unit_test(empty_code_is_not_absent_code),
                cmocka_unit_test(each_limit_has_its_own_field),
                cmocka_unit_test(limits_of_the_compile_stage_are_not_those_of_the_run),
                cmocka_unit_test(limits_without_a_limit_and_collect_without_a_glob_are_taken),
                cmocka_unit_test(the_small_requests_come_through),
                cmocka_unit_test(the_caller_of_a_request_comes_through),
                cmocka_unit_test(large_bytes_are_taken_without_a_copy),
                cmocka_unit_test(fields_of_another_version_are_skipped),
                cmocka_unit_test(fields_may_come_in_any_order),
                cmocka_unit_test(a_request_cut_at_any_byte_is_refused),
                cmocka_unit_test(a_damaged_request_is_refused_or_sound),
                cmocka_unit_test(a_request_of_no_kind_is_not_encoded),
        };
        return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
