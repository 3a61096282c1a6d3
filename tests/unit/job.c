/* Jobs on their way from pool to sandbox, through a real socket that hands them over in odd pieces. */
#include "proto/ipc/job.h"

#include "proto/base/own.h"
#include "proto/wire/wire.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

struct writer {
        int sock;
        const uint8_t *data;
        size_t len;
        size_t most; /* bytes per write */
};

static void *write_in_pieces(void *arg)
{
        struct writer *w = arg;
        size_t at = 0, piece = 1;

        while (at < w->len) {
                size_t n = piece < w->len - at ? piece : w->len - at;
                ssize_t sent = send(w->sock, w->data + at, n, MSG_NOSIGNAL);
                if (sent <= 0)
                        break;
                at += (size_t)sent;
                piece = piece % w->most + 1;
                sched_yield();
        }
        close(w->sock);
        return NULL;
}

/* Sends data from a thread and closes; fills *job with the job that job_read reads. */
static int read_back(const uint8_t *data, size_t len, size_t most, struct job *job)
{
        int socks[2];
        pthread_t thread;

        memset(job, 0, sizeof *job);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks), 0);
        struct writer w = { socks[0], data, len, most };
        assert_int_equal(pthread_create(&thread, NULL, write_in_pieces, &w), 0);
        int r = job_read(socks[1], job);
        close(socks[1]);
        pthread_join(thread, NULL);
        return r;
}

/* In a sandbox the process ends with its job; here it goes on. */
static void forget(struct job *job)
{
        free((void *)job->entry);
        free(job->args);
        free(job->env);
        free(job->flags);
        free(job->interpreter_args);
}

static struct span text(const char *s)
{
        return span_of_text(s);
}

static const int64_t limits[LIMIT_COUNT] = {
        [LIMIT_OPEN_FILES] = 64, [LIMIT_STACK] = 12 << 20, [LIMIT_MEMORY] = 5 << 20
};

static void a_job_arrives_as_it_was_packed(void **state)
{
        (void)state;
        OWN_MEM char *longest = malloc(WIRE_MAX_STRING);
        assert_non_null(longest);
        memset(longest, 'x', WIRE_MAX_STRING);
        struct span args[] = {
                text("one"), text(""), { (uint8_t *)longest, WIRE_MAX_STRING }, text("gr\xc3\xbc\xc3\x9f")
        };
        struct env_span env[] = { { text("HOME"), text("/x") },
                                  { text("EMPTY"), text("") },
                                  { text("EQ"), text("a=b") } };
        struct span flags[] = { text("-O3"), text("-lm") };
        struct submission x = { .args = args,
                                .n_args = 4,
                                .env = env,
                                .n_env = 3,
                                .merge_stderr = true,
                                .unbuffered = true,
                                .compile_flags = flags,
                                .n_compile_flags = 2 };
        const size_t pieces[] = { 7, 1000, 1 << 20 };

        for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
                OWN_MEM uint8_t *packed = NULL;
                size_t len;
                struct err e = { 0 };
                struct job job;
                assert_int_equal(job_pack(&x, text("main.py"), 5, limits, JOB_RUN, &packed, &len, &e), 0);
                assert_int_equal(read_back(packed, len, pieces[i], &job), 0);

                assert_string_equal(job.entry, "main.py");
                assert_int_equal(job.header.n_files, 5);
                assert_int_equal(job.header.open_files, 64);
                assert_int_equal(job.header.stack_bytes, 12 << 20);
                assert_int_equal(job.header.memory_bytes, 5 << 20);
                assert_int_equal(job.header.merge_stderr, 1);
                assert_int_equal(job.header.unbuffered, 1);
                assert_int_equal(job.header.reserved, 0);
                assert_int_equal(job.header.n_args, 4);
                assert_string_equal(job.args[0], "one");
                assert_string_equal(job.args[1], "");
                assert_int_equal(strlen(job.args[2]), WIRE_MAX_STRING);
                assert_string_equal(job.args[3], "gr\xc3\xbc\xc3\x9f");
                assert_null(job.args[4]);
                assert_int_equal(job.header.n_env, 3);
                assert_string_equal(job.env[0], "HOME=/x");
                assert_string_equal(job.env[1], "EMPTY=");
                assert_string_equal(job.env[2], "EQ=a=b");
                assert_null(job.env[3]);
                assert_int_equal(job.header.n_flags, 2);
                assert_string_equal(job.flags[0], "-O3");
                assert_string_equal(job.flags[1], "-lm");
                assert_null(job.flags[2]);
                forget(&job);
        }
}

static void words_for_the_interpreter_arrive(void **state)
{
        (void)state;
        OWN_MEM uint8_t *packed = NULL;
        struct span words[] = { text("-c"), text("print(1)"), text("") };
        struct submission x = { .interpreter_args = words, .n_interpreter_args = 3, .interpreter = text("/bin/other") };
        size_t len;
        struct err e = { 0 };
        struct job job;

        assert_int_equal(job_pack(&x, text(""), 0, limits, JOB_RUN, &packed, &len, &e), 0);
        assert_int_equal(read_back(packed, len, 3, &job), 0);
        assert_string_equal(job.interpreter_args[0], "-c");
        assert_string_equal(job.interpreter_args[1], "print(1)");
        assert_string_equal(job.interpreter_args[2], "");
        assert_null(job.interpreter_args[3]);
        assert_string_equal(job.interpreter, "/bin/other");
        assert_int_equal(job.header.fresh, 1);
        assert_int_equal(job.header.prompt, 0);
        forget(&job);

        x = (struct submission){ .has_terminal = true };
        free(packed);
        packed = NULL;
        assert_int_equal(job_pack(&x, text(""), 0, limits, JOB_RUN, &packed, &len, &e), 0);
        assert_int_equal(read_back(packed, len, 3, &job), 0);
        assert_int_equal(job.header.terminal, 1);
        assert_int_equal(job.header.prompt, 1);
        assert_string_equal(job.interpreter, "");
        forget(&job);
}

static void a_job_of_nothing_but_an_entry_arrives(void **state)
{
        (void)state;
        OWN_MEM uint8_t *packed = NULL;
        struct submission x = { 0 };
        size_t len;
        struct err e = { 0 };
        struct job job;

        assert_int_equal(job_pack(&x, text(""), 0, limits, JOB_RUN, &packed, &len, &e), 0);
        assert_int_equal(len, sizeof(struct job_header) + 2); /* no interpreter either */
        assert_int_equal(read_back(packed, len, 3, &job), 0);
        assert_string_equal(job.entry, "");
        assert_null(job.args[0]);
        assert_null(job.env[0]);
        assert_int_equal(job.header.merge_stderr, 0);
        forget(&job);
}

static void a_job_that_is_cut_short_is_a_broken_pipe(void **state)
{
        (void)state;
        OWN_MEM uint8_t *packed = NULL;
        struct span args[] = { text("one"), text("two") };
        struct submission x = { .args = args, .n_args = 2 };
        size_t len;
        struct err e = { 0 };
        struct job job;

        assert_int_equal(job_pack(&x, text("main.py"), 0, limits, JOB_RUN, &packed, &len, &e), 0);
        for (size_t n = 0; n < len; n++)
                assert_int_equal(read_back(packed, n, 5, &job), -EPIPE);
}

static void a_job_that_contradicts_itself_is_refused(void **state)
{
        (void)state;
        OWN_MEM uint8_t *packed = NULL;
        struct span args[] = { text("one"), text("two") };
        struct env_span env[] = { { text("A"), text("b") } };
        struct submission x = { .args = args, .n_args = 2, .env = env, .n_env = 1 };
        struct job_header good, h;
        size_t len;
        struct err e = { 0 };
        struct job job;

        assert_int_equal(job_pack(&x, text("main.py"), 0, limits, JOB_RUN, &packed, &len, &e), 0);
        memcpy(&good, packed, sizeof good);

        h = good;
        h.magic ^= 1;
        memcpy(packed, &h, sizeof h);
        assert_int_equal(read_back(packed, len, 50, &job), -EPROTO);

        h = good;
        h.n_args = 4; /* one more than there are strings after the entry */
        memcpy(packed, &h, sizeof h);
        assert_int_equal(read_back(packed, len, 50, &job), -EPROTO);

        h = good;
        h.n_env = 2;
        memcpy(packed, &h, sizeof h);
        assert_int_equal(read_back(packed, len, 50, &job), -EPROTO);

        memcpy(packed, &good, sizeof good);
        packed[len - 1] = 'x'; /* the last string has no end */
        assert_int_equal(read_back(packed, len, 50, &job), -EPROTO);
}

/* The largest single allocation. The linker replaces calloc by this file's (CMakeLists.txt). */
static size_t most_asked;
void *__real_calloc(size_t n, size_t size); /* NOLINT(bugprone-reserved-identifier): the linker makes the names */
void *__wrap_calloc(size_t n, size_t size); /* NOLINT(bugprone-reserved-identifier) */
void *__wrap_calloc(size_t n, size_t size)  /* NOLINT(bugprone-reserved-identifier) */
{
        if (n * size > most_asked)
                most_asked = n * size;
        return __real_calloc(n, size);
}

/* No memory is allocated for strings before job_read sees that they are missing. */
static void counts_that_the_strings_can_t_hold_are_refused(void **state)
{
        (void)state;
        struct {
                struct job_header h;
                char strings[8];
        } sent = { .strings = "main.py" };
        struct job job;
        const struct job_header good = { .magic = JOB_MAGIC, .strings_size = sizeof sent.strings };

        most_asked = 0;
        sent.h = good;
        sent.h.n_args = UINT32_MAX;
        assert_int_equal(read_back((const uint8_t *)&sent, sizeof sent, 50, &job), -EPROTO);
        sent.h = good;
        sent.h.n_env = UINT32_MAX;
        assert_int_equal(read_back((const uint8_t *)&sent, sizeof sent, 50, &job), -EPROTO);
        sent.h = good;
        sent.h.strings_size = UINT64_MAX;
        assert_int_equal(read_back((const uint8_t *)&sent, sizeof sent, 50, &job), -EPROTO);
        sent.h.strings_size = 0;
        assert_int_equal(read_back((const uint8_t *)&sent, sizeof sent, 50, &job), -EPROTO);
        assert_true(most_asked < 4096);
}

static struct job_failure frame(uint32_t step, int32_t error, const char *name)
{
        struct job_failure f = { .step = step, .error = error };
        memcpy(f.name, name, strlen(name) + 1);
        return f;
}

/* The result for two frames, of which so many bytes have come. */
static enum job_told told(struct job_failure first, struct job_failure second, size_t bytes)
{
        struct job_failure both[JOB_MAX_TOLD + 1] = { first, second };
        return job_told(both, bytes);
}

static void a_failure_is_told_alone_and_with_an_errno(void **state)
{
        (void)state;
        enum { ONE = sizeof(struct job_failure) };
        const struct job_failure none = { 0 };
        assert_int_equal(told(frame(JOB_STEP_FILE, ENOSPC, "a"), none, ONE), JOB_TOLD_FAILURE);
        assert_int_equal(told(frame(JOB_STEP_READ, 1, ""), none, ONE), JOB_TOLD_FAILURE);
        assert_int_equal(told(frame(JOB_STEP_LIMITS, JOB_MAX_ERROR, ""), none, ONE), JOB_TOLD_FAILURE);

        assert_int_equal(told(none, none, 0), JOB_TOLD_NOTHING);
        assert_int_equal(told(frame(JOB_STEP_FILE, ENOSPC, "a"), none, ONE - 1), JOB_TOLD_NOTHING);
        assert_int_equal(told(frame(JOB_STEP_FILE, ENOSPC, "a"), none, ONE + 1), JOB_TOLD_NOTHING);
        assert_int_equal(told(frame(JOB_STEP_FILE, 123456789, "a"), none, ONE), JOB_TOLD_NOTHING);
        assert_int_equal(told(frame(JOB_STEP_FILE, INT32_MIN, "a"), none, ONE), JOB_TOLD_NOTHING);
        assert_int_equal(told(frame(JOB_STEP_FILE, 0, "a"), none, ONE), JOB_TOLD_NOTHING);
        assert_int_equal(told(frame(0, 1, ""), none, ONE), JOB_TOLD_NOTHING);
        assert_int_equal(told(frame(UINT32_MAX, 1, ""), none, ONE), JOB_TOLD_NOTHING);

        struct job_failure endless[JOB_MAX_TOLD] = { { .step = JOB_STEP_FILE, .error = 1 } };
        memset(endless[0].name, 'x', sizeof endless[0].name);
        assert_int_equal(job_told(endless, ONE), JOB_TOLD_FAILURE);
        assert_int_equal(strlen(endless[0].name), sizeof endless[0].name - 1);
}

/* A translator announces itself. Afterwards it can't take that back, and can only report a refusal. */
static void a_translator_can_tell_of_a_refusal_alone(void **state)
{
        (void)state;
        enum { ONE = sizeof(struct job_failure), TWO = 2 * ONE };
        const struct job_failure none = { 0 }, translate = frame(JOB_STEP_TRANSLATE, 0, ""),
                                 refused = frame(JOB_STEP_REFUSED, 0, "");
        assert_int_equal(told(translate, none, ONE), JOB_TOLD_NOTHING);
        assert_int_equal(told(translate, refused, TWO), JOB_TOLD_REFUSAL);

        assert_int_equal(told(refused, none, ONE), JOB_TOLD_NOTHING);
        assert_int_equal(told(refused, refused, TWO), JOB_TOLD_NOTHING);
        assert_int_equal(told(translate, translate, TWO), JOB_TOLD_NOTHING);
        assert_int_equal(told(translate, refused, TWO + 1), JOB_TOLD_NOTHING);
        assert_int_equal(told(translate, refused, TWO - 1), JOB_TOLD_NOTHING);
        assert_int_equal(told(translate, frame(JOB_STEP_REFUSED, 77, ""), TWO), JOB_TOLD_NOTHING);
        assert_int_equal(told(translate, frame(JOB_STEP_REFUSED, 0, "x"), TWO), JOB_TOLD_NOTHING);
        for (uint32_t step = JOB_STEP_READ; step <= JOB_STEP_LIMITS; step++) {
                assert_int_equal(told(translate, frame(step, 5, ""), TWO), JOB_TOLD_NOTHING);
                assert_int_equal(told(frame(step, 5, ""), refused, TWO), JOB_TOLD_NOTHING);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_job_arrives_as_it_was_packed),
                cmocka_unit_test(words_for_the_interpreter_arrive),
                cmocka_unit_test(a_job_of_nothing_but_an_entry_arrives),
                cmocka_unit_test(a_job_that_is_cut_short_is_a_broken_pipe),
                cmocka_unit_test(a_job_that_contradicts_itself_is_refused),
                cmocka_unit_test(counts_that_the_strings_can_t_hold_are_refused),
                cmocka_unit_test(a_failure_is_told_alone_and_with_an_errno),
                cmocka_unit_test(a_translator_can_tell_of_a_refusal_alone),
        };
        return cmocka_run_group_tests_name("job", tests, NULL, NULL);
}
