/* The pool ends when it finds an impossible state: by SIGABRT, and with a sentence. Each case has a process of its
 * own. */
#include "pool/base/invariant.h"

#include "pool/base/budget.h"
#include "pool/base/feed.h"
#include "pool/confine.h"
#include "pool/core/run.h"
#include "pool/link/slot.h"
#include "pool/link/zygote.h"
#include "pool/sched/language.h"

#include "tests/unit/unit.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs act in a child, whose log goes to a pipe. Returns the child's wait status. */
static int in_child(void (*act)(void), char *said, size_t size)
{
        struct err e = { 0 };
        int out[2], status;

        assert_int_equal(pipe(out), 0);
        pid_t pid = fork();
        if (pid == 0) {
                setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
                signal(SIGABRT, SIG_DFL); /* a handler of cmocka or a sanitizer would not end the child */
                dup2(out[1], STDERR_FILENO);
                if (confine_pool_calls(-1, &e) < 0) /* the filter must allow the calls by which the pool ends */
                        _exit(3);
                act();
                _exit(0);
        }
        close(out[1]);
        size_t n = 0;
        for (ssize_t got; n < size - 1 && (got = read(out[0], said + n, size - 1 - n)) > 0;)
                n += (size_t)got;
        said[n] = '\0';
        close(out[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return status;
}

static void made(struct slots *s)
{
        struct err e = { 0 };
        if (slots_init(s, NULL, &e) < 0)
                _exit(2);
}

static void an_arrow_that_the_pool_has_chosen_is_missing(void)
{
        struct slots s;
        made(&s);
        slots_must_move(&s, &s.slot[7], SLOT_RUNNING, 0);
}

static void a_slot_is_not_counted(void)
{
        struct slots s;
        struct err e = { 0 };
        made(&s);
        s.count[SLOT_EMPTY] = 0;
        slots_move(&s, &s.slot[7], SLOT_PREPARING, 0, &e);
}

static void a_slot_comes_back_that_nobody_had(void)
{
        struct zygote zygote = { .end = { .sock = -1 } };
        made(&zygote.slots);
        zygote.slots.slot[7].zygote = &zygote;
        slot_recycle(&zygote.slots.slot[7], false);
}

static void more_is_given_back_than_was_taken(void)
{
        struct budget budget = { .max = 100, .used = 10 };
        uint64_t mine = 11;
        budget_set(&budget, &mine, 0);
}

static void a_feed_is_overfilled(void)
{
        struct feed f;
        struct err e = { 0 };
        if (feed_init(&f, 1, &e) < 0)
                _exit(2);
        feed_add(&f, "a", 1);
        feed_add(&f, "b", 1);
}

static struct event_base *base; /* made in advance, because the pool's filter forbids to make one */

static void a_run_ends_that_has_not_begun(void)
{
        struct log log = { .who = "test" };
        static struct run_host host;
        static struct run run;
        static const struct run_ops ops;
        host.base = base;
        host.log = &log;
        if (run_init(&run, &host, &ops) < 0)
                _exit(2);
        run.holder.ops->exited(&run.holder, &(struct report){ .kind = REPORT_EXITED });
}

static void all_is_well(void)
{
        INVARIANT(true, "never said");
}

static void what_can_not_be_ends_the_pool_with_a_sentence(void **state)
{
        (void)state;
        static const struct {
                void (*act)(void);
                const char *place, *sentence;
        } rows[] = {
                { an_arrow_that_the_pool_has_chosen_is_missing, "slot.c:", "slot 7 is empty and can't become running" },
                { a_slot_is_not_counted, "slot.c:", "slot 7 is empty, but the count of such slots is 0" },
                { a_slot_comes_back_that_nobody_had, "slot.c:", "slot 7 is empty and can't become empty" },
                { more_is_given_back_than_was_taken,
                  "budget.h:", "a holder gives back 11 bytes, but only 10 bytes are counted" },
                { a_feed_is_overfilled, "feed.c:", "a feed of 1 pieces gets one more" },
                { a_run_ends_that_has_not_begun, "run.c:", "a run in state 0 ends" },
        };

        struct err e = { 0 };

        assert_int_equal(loop_new(&base, &e), 0);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                char said[512];
                int status = in_child(rows[i].act, said, sizeof said);
                if (!strstr(said, rows[i].place) || !strstr(said, rows[i].sentence))
                        fail_msg("\"%s\" does not contain \"%s %s\"", said, rows[i].place, rows[i].sentence);
                assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        }
        event_base_free(base);
}

static void what_is_as_it_should_be_is_not_spoken_of(void **state)
{
        (void)state;
        char said[512];
        assert_int_equal(in_child(all_is_well, said, sizeof said), 0);
        assert_string_equal(said, "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_can_not_be_ends_the_pool_with_a_sentence),
                cmocka_unit_test(what_is_as_it_should_be_is_not_spoken_of),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
