/* What a client is told of a failure that a sandbox told: a number that came out of it is any number. */
#include "pool/base/loop.h"
#include "pool/base/peer.h"
#include "pool/core/run.h"
#include "pool/core/run_answer.h"
#include "pool/native/connection.h"
#include "pool/sched/language.h"
#include "pool/state.h"
#include "proto/ipc/job.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* The bytes of the answer to one failure, as text. */
static void answer_to(const struct job_failure *failure, char *text, size_t size)
{
        const struct peer nobody = { .len = 0 };
        struct pool *p = calloc(1, sizeof *p);
        int64_t limit[LIMIT_COUNT] = { [LIMIT_DISK] = 4096 };
        struct err e = { 0 };
        int pair[2];

        assert_non_null(p);
        assert_int_equal(loop_new(&p->base, &e), 0);
        assert_int_equal(turns_init(&p->turns, p->base, &e), 0);
        p->config.max_connections = 1;
        p->config.max_answer_bytes = 1 << 20;
        p->config.max_unsent_bytes = 1 << 20;
        p->memory.max = 1 << 20;
        LIST_INIT(&p->sessions);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
        session_accept(p, pair[0], &nobody);

        struct run run = { .pool = p, .session = LIST_FIRST(&p->sessions), .limit = limit, .request.id = 7 };
        run_answer_failure(&run, failure);
        ssize_t n = read(pair[1], text, size - 1);
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++)
                text[i] = text[i] ? text[i] : '.';
        text[n] = '\0';
        session_free(run.session);
        close(pair[1]);
        turns_fini(&p->turns);
        event_base_free(p->base);
        free(p);
}

static void a_failure_of_any_number_is_told(void **state)
{
        (void)state;
        static const struct {
                struct job_failure failure;
                const char *word;
        } rows[] = {
                { { .step = JOB_STEP_LIMITS, .error = EMFILE }, "Too many open files" },
                { { .step = JOB_STEP_LIMITS, .error = -EMFILE }, "Too many open files" },
                { { .step = JOB_STEP_LIMITS, .error = INT_MIN }, "Protocol error" },
                { { .step = JOB_STEP_FILE, .error = INT_MIN, .name = "a" }, "\"a\" can't be made" },
                { { .step = JOB_STEP_FILE, .error = -ENOSPC, .name = "a" }, "\"a\" does not fit" },
                { { .step = UINT32_MAX, .error = INT_MAX }, "Protocol error" },
        };

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                char text[1024];
                answer_to(&rows[i].failure, text, sizeof text);
                if (!strstr(text, rows[i].word))
                        fail_msg("\"%s\" does not speak of \"%s\"", text, rows[i].word);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(a_failure_of_any_number_is_told) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
