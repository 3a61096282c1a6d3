/* Requests for tests: see requests.h. */
#include "tests/unit/requests.h"

#include "hatchery.pb.h"
#include "proto/base/own.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

struct span requests_bytes(const void *data, size_t len)
{
        return (struct span){ data, len };
}

uint8_t *requests_encode(const struct request *r, size_t *len)
{
        enum { ROOM = 5 };
        OWN_MEM uint8_t *padded = NULL;
        struct err e = { 0 };
        assert_int_equal(request_encode(r, ROOM, &padded, len, &e), 0);

        /* Copies into a block of exactly the message's length. */
        uint8_t *exact = malloc(*len ? *len : 1);
        assert_non_null(exact);
        memcpy(exact, padded + ROOM, *len);
        return exact;
}

/* A message with id 7 around an Execute that was written by hand. */
static uint8_t *around(struct wirebuf *execute, size_t *len)
{
        struct wirebuf m = { 0 };
        wirebuf_number(&m, ID(ClientMessage_id), 7);
        wirebuf_message(&m, ID(ClientMessage_execute), execute);
        return wirebuf_finish(&m, len);
}

/* Decodes and releases m. The refusal must be a sentence with this word, and the id must still be known. */
void requests_assert_refused(struct wirebuf *m, uint64_t id, const char *word)
{
        struct request r;
        struct err e = { 0 };
        size_t len;
        OWN_MEM uint8_t *data = wirebuf_finish(m, &len);
        int rc = request_decode(&r, data, len, &e);
        request_fini(&r);
        assert_refused(rc, &e, EPROTO, word);
        assert_int_equal(r.id, id);
}

void requests_assert_execute_refused(struct wirebuf *execute, const char *word)
{
        struct wirebuf m = { 0 };
        wirebuf_number(&m, ID(ClientMessage_id), 7);
        wirebuf_message(&m, ID(ClientMessage_execute), execute);
        requests_assert_refused(&m, 7, word);
}

/* Decodes an Execute that must be accepted. The caller releases r and frees data. */
void requests_decode_execute(struct wirebuf *execute, struct request *r, uint8_t **data)
{
        struct err e = { 0 };
        size_t len;
        *data = around(execute, &len);
        if (request_decode(r, *data, len, &e) != 0)
                fail_msg("refused: %s", e.text);
        assert_int_equal(r->kind, REQUEST_EXECUTE);
        assert_int_equal(r->id, 7);
}

/* Every kind of field at once. */
uint8_t *requests_full(size_t *len)
{
        struct file_span files[] = {
                { .name = span_of_text("a.py"), .content = span_of_text("print(1)"), .mode = 0755 },
                { .name = span_of_text("dir/\xc3\xa4"), .content = requests_bytes("\0\xff", 2) },
                { .name = span_of_text("empty") },
        };
        struct span args[] = { span_of_text("one"), span_of_text(""), span_of_text("three") };
        struct span globs[] = { span_of_text("*.txt"), span_of_text("**/out") };
        struct span flags[] = { span_of_text("-O3"), span_of_text("-std=c++20") };
        struct env_span env[] = { { span_of_text("A"), span_of_text("1") }, { span_of_text("B"), span_of_text("") } };
        struct request r = {
                .id = UINT64_MAX,
                .kind = REQUEST_EXECUTE,
                .execute = {
                        .language = span_of_text("python"),
                        .has_code = true,
                        .code = requests_bytes("x\0y", 3),
                        .entry = span_of_text("a.py"),
                        .standard_input = requests_bytes("in\0put", 6),
                        .client = span_of_text("guild 42"),
                        .files = files,
                        .n_files = 3,
                        .args = args,
                        .n_args = 3,
                        .env = env,
                        .n_env = 2,
                        .merge_stderr = true,
                        .truncate_output = true,
                        .has_collect = true,
                        .globs = globs,
                        .n_globs = 2,
                        .compile_flags = flags,
                        .n_compile_flags = 2,
                        .collect_max_files = UINT32_MAX,
                        .collect_max_bytes = UINT64_MAX,
                        .collect_changed_only = true,
                        .deadline_us = 123456789012345,
                        .priority = 5,
                        .echo_last_expression = true,
                        .has_compile_limits = true,
                        .unbuffered = true,
                        .run_id = span_of_text("Run_7-a"),
                        .idempotency_key = span_of_text("order:7/\"~"),
                },
        };
        for (size_t i = 0; i < LIMIT_COUNT; i++) {
                r.execute.has_limit[i] = true;
                r.execute.limit[i] = (int64_t)i - 3;
                r.execute.has_compile_limit[i] = true;
                r.execute.compile_limit[i] = 100 - (int64_t)i;
        }
        return requests_encode(&r, len);
}
