/* Fuzzes a client's messages: proto/wire/request and proto/wire/pbspan (decoding and encoding), and pool/core/check
 * with pool/base/names. An accepted request is also packed as a job and read again, as on the way to a sandbox
 * (proto/ipc/job). Input: a ClientMessage. */
#include "proto/wire/request.h"

#include "pool/core/check.h"
#include "proto/ipc/job.h"
#include "proto/wire/pbspan.h"
#include "proto/wire/wire.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 5, MAX_SENT = 1 << 16 };

/* A decoded request must stay the same through encoding and decoding. */
static void check_round_trip(const struct request *r)
{
        struct err e = { 0 };
        uint8_t *first = NULL, *second = NULL;
        size_t first_len = 0, second_len = 0;
        struct request again;

        FUZZ_CHECK(request_encode(r, ROOM, &first, &first_len, &e) == 0);
        FUZZ_CHECK(request_decode(&again, first + ROOM, first_len, &e) == 0);
        FUZZ_CHECK(again.id == r->id && again.kind == r->kind);
        FUZZ_CHECK(again.execute.n_files == r->execute.n_files && again.execute.n_args == r->execute.n_args);
        FUZZ_CHECK(again.execute.n_env == r->execute.n_env && again.execute.n_globs == r->execute.n_globs);
        FUZZ_CHECK(again.execute.n_interpreter_args == r->execute.n_interpreter_args);
        FUZZ_CHECK(again.has_on_behalf == r->has_on_behalf && again.run_id.len == r->run_id.len);
        FUZZ_CHECK(again.on_behalf.peer.len == r->on_behalf.peer.len);
        FUZZ_CHECK(again.request_id == r->request_id && again.eof == r->eof && again.signal == r->signal);
        FUZZ_CHECK(again.bytes.len == r->bytes.len && again.credit_bytes == r->credit_bytes);
        FUZZ_CHECK(again.terminal.rows == r->terminal.rows && again.terminal.columns == r->terminal.columns);
        FUZZ_CHECK(request_encode(&again, ROOM, &second, &second_len, &e) == 0);
        FUZZ_CHECK(first_len == second_len && memcmp(first + ROOM, second + ROOM, first_len) == 0);
        request_fini(&again);
        free(first);
        free(second);
}

static void check_text(struct span want, const char *got)
{
        FUZZ_CHECK(strlen(got) == want.len && (want.len == 0 || memcmp(got, want.data, want.len) == 0));
}

static void check_job(const struct submission *x, const struct check_plan *plan)
{
        struct err e = { 0 };
        uint8_t *packed = NULL;
        size_t len = 0;
        FUZZ_CHECK(job_pack(x, plan->entry, (uint32_t)x->n_files, plan->limit, JOB_RUN, &packed, &len, &e) == 0);
        int pair[2];
        if (len <= MAX_SENT && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) {
                struct job job;
                FUZZ_CHECK(send(pair[0], packed, len, 0) == (ssize_t)len);
                FUZZ_CHECK(job_read(pair[1], &job) == 0);
                FUZZ_CHECK(job.header.n_args == x->n_args && job.header.n_env == x->n_env);
                check_text(plan->entry, job.entry);
                for (size_t i = 0; i < x->n_args; i++)
                        check_text(x->args[i], job.args[i]);
                for (size_t i = 0; i < x->n_env; i++) {
                        const char *equals = strchr(job.env[i], '=');
                        FUZZ_CHECK(equals && (size_t)(equals - job.env[i]) == x->env[i].name.len);
                        check_text(x->env[i].value, equals + 1);
                }
                for (size_t i = 0; i < x->n_compile_flags; i++)
                        check_text(x->compile_flags[i], job.flags[i]);
                for (size_t i = 0; i < x->n_interpreter_args; i++)
                        check_text(x->interpreter_args[i], job.interpreter_args[i]);
                check_text(x->interpreter, job.interpreter);
                FUZZ_CHECK(!job.interpreter_args[x->n_interpreter_args]);
                FUZZ_CHECK(!job.args[x->n_args] && !job.env[x->n_env] && !job.flags[x->n_compile_flags]);
                free(job.args);
                free(job.env);
                free(job.flags);
                free(job.interpreter_args);
                free((char *)job.entry); /* the start of the block */
                close(pair[0]);
                close(pair[1]);
        }
        free(packed);
}

static void check_sense(const struct submission *x)
{
        int64_t standard[LIMIT_COUNT], ceiling[LIMIT_COUNT];
        for (size_t i = 0; i < LIMIT_COUNT; i++) {
                standard[i] = limit_table[i].standard;
                ceiling[i] = limit_table[i].ceiling;
        }
        const struct check_rules rules = {
                .main_file = "main.py",
                .standard = standard,
                .ceiling = ceiling,
                .collect_max_files = 256,
                .collect_max_bytes = 16 << 20,
        };
        struct check_plan plan;
        struct refusal refusal = { 0 };
        if (check_execute(x, &rules, &plan, &refusal) != 0) {
                FUZZ_CHECK(refusal.code != 0 && refusal.text[0] != '\0');
                return;
        }
        FUZZ_CHECK(plan.entry.len > 0 || x->n_interpreter_args > 0 || x->has_terminal);
        FUZZ_CHECK(plan.entry.len <= WIRE_MAX_NAME);
        for (size_t i = 0; i < LIMIT_COUNT; i++)
                FUZZ_CHECK(plan.limit[i] >= 1 && plan.limit[i] <= ceiling[i]);
        FUZZ_CHECK(plan.collect_files <= 256 && plan.collect_bytes <= 16 << 20);
        check_job(x, &plan);
}

/* The bytes of a decoded Execute must be a row of whole fields, since an idempotency key's digest needs that. */
static void check_fields(struct span rest)
{
        const uint8_t *end = rest.data + rest.len;
        struct span field;
        uint32_t tag;

        while (pbspan_next(&rest, &tag, &field)) {
                FUZZ_CHECK(tag != 0 && field.len > 0);
                FUZZ_CHECK(field.data + field.len == rest.data && rest.data + rest.len == end);
        }
        FUZZ_CHECK(rest.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct request r;
        struct err e = { 0 };
        uint8_t *message = fuzz_copy(data, size);

        int rc = request_decode(&r, message, size, &e);
        if (rc == 0) {
                FUZZ_CHECK(r.kind != REQUEST_NONE && (r.id != 0) == request_is_answered(r.kind));
                FUZZ_CHECK(r.execute.n_files <= WIRE_MAX_FILES && r.execute.n_globs <= WIRE_MAX_GLOBS);
                FUZZ_CHECK(r.has_on_behalf == (r.on_behalf.peer.len > 0) && r.on_behalf.peer.len <= WIRE_MAX_PEER);
                FUZZ_CHECK(r.execute.run_id.len <= WIRE_MAX_RUN_ID);
                FUZZ_CHECK(r.execute.idempotency_key.len <= WIRE_MAX_IDEMPOTENCY_KEY);
                check_round_trip(&r);
                if (r.kind == REQUEST_EXECUTE) {
                        check_fields(r.execute_bytes);
                        check_sense(&r.execute);
                }
        } else {
                FUZZ_CHECK(rc == -EPROTO && e.code == EPROTO && e.text[0] != '\0');
        }
        request_fini(&r);
        free(message);
        return 0;
}
