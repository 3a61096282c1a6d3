/* Runs, mostly one at a time: their limits, a reload without memory, jobs that fail, live input, and signals. */
#include "pool/core/execution.h"
#include "pool/sched/language.h"
#include "tests/core/scene.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { SECOND = 1000000 };

static void end(struct scene *t)
{
        if (t->s && t->s->state == FAKE_WARM)
                fake_exit(t->z, t->number, 0, false);
        world_settle(&t->w);
}

static const struct front_wish plain = { .language = "fork", .wall_us = 5 * SECOND, .cpu_us = SECOND };

/* ---------------------------------------------------------------- limits */

/* A run sets three timers, in this order: for the next look at the output, for the wall limit, and for the CPU limit.
 * If the first one can't be set, the pool watches the pipes instead. */
static void no_run_goes_on_without_its_limits(void **state)
{
        struct scene *t = *state;

        for (unsigned n = 1; n <= 3; n++) {
                world_fail_timer(n);
                scene_submit(t, &plain);
                world_fail_timer(0);
                assert_int_equal(t->f->execution->run.reason, n == 1 ? KILL_NONE : KILL_FAULT);
                if (n == 1) {
                        fake_write(t->s, true, 5);
                        world_turn(&t->w);
                        assert_int_equal(t->f->execution->run.err.total, 5);
                        end(t);
                }
                world_settle(&t->w);
                assert_int_equal(t->f->finished, n == 1);
                assert_int_equal(t->f->refused, n > 1);
        }
}

static void a_run_whose_cpu_time_can_not_be_looked_at_again_is_refused(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &plain);
        world_fail_timer(WORLD_ALL);
        world_advance(SECOND); /* the program has used almost no CPU time */
        world_fail_timer(0);
        assert_int_equal(t->f->execution->run.reason, KILL_FAULT);
        world_settle(&t->w);
        assert_int_equal(t->f->refusal.code, REFUSAL_INTERNAL);
}

static void a_deadline_that_can_not_be_kept_is_told(void **state)
{
        struct scene *t = *state;
        struct front_wish wish = plain;

        wish.deadline_us = 5 * SECOND;
        world_fail_timer(1);
        scene_submit(t, &wish);
        assert_int_equal(t->f->refused, 1);
        assert_int_equal(t->f->refusal.code, REFUSAL_INTERNAL);
        assert_non_null(strstr(t->f->refusal.text, "deadline_us"));
}

static void a_deadline_may_end_it_before_its_wall_limit(void **state)
{
        struct scene *t = *state;
        struct front_wish wish = plain;

        wish.deadline_us = SECOND / 2;
        scene_submit(t, &wish);
        world_advance(SECOND / 2 + 1000);
        world_settle(&t->w);
        assert_int_equal(t->f->status, OUTCOME_TIME_LIMIT);
        assert_in_range(t->f->outcome.end.wall_us, SECOND / 2, SECOND / 2 + 5000);
}

/* A coarse clock may cause a look too early. An early look does not end the run, and another look follows. */
static void cpu_time_is_looked_at_until_it_is_used_up(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &plain);
        fake_use_cpu(t->s, SECOND + 999); /* the counter began at 1000 */
        world_advance(SECOND);
        assert_int_equal(t->f->execution->run.reason, KILL_NONE);
        fake_use_cpu(t->s, SECOND + 1001);
        world_advance(SECOND);
        assert_int_equal(t->f->execution->run.reason, KILL_CPU);
        world_settle(&t->w);
}

static void the_first_reason_counts(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &plain);
        execution_cancel(t->f->execution);
        core_drain(t->w.core);
        core_shut_down(t->w.core);
        world_settle(&t->w);
        assert_int_equal(t->f->status, OUTCOME_CANCELLED);
}

/* The zygote that serves has lower ceilings than its language, whose ceilings the admission uses. A reload may cause
 * that. */
static void limits_beyond_those_of_the_zygote_are_refused(void **state)
{
        struct scene *t = *state;
        struct language *l = sched_find(&t->w.core->sched, span_of_text("fork"));
        struct zygote *z = TAILQ_FIRST(&l->zygotes);
        const struct ceilings ceilings = z->ceilings;

        z->ceilings = (struct ceilings){ 1, 1, 1 };
        scene_submit(t, &plain);
        assert_int_equal(t->f->refusal.code, REFUSAL_UNAVAILABLE);
        assert_null(t->f->execution); /* core_execute returned the refusal; the sink was not called */
        z->ceilings = ceilings;
        world_settle(&t->w);
}

/* Each failure of a slot is counted once, in the statistics of its language. */
static void a_slot_that_fails_is_one_failure(void **state)
{
        struct scene *t = *state;
        const struct language *l = sched_find(&t->w.core->sched, span_of_text("fork"));
        struct front_wish wish = plain;

        wish.memory_bytes = 64 << 20;
        scene_submit(t, &wish);
        assert_int_equal(t->f->execution->run.state, RUN_LIMITING);
        fake_fail_slot(t->z, t->number);
        assert_int_equal(l->stats.failures, 1);
        world_settle(&t->w);
        t->s = world_sandbox_of(&t->w, t->f, &t->z, &t->number);
        fake_fail_slot(t->z, t->number);
        assert_int_equal(l->stats.failures, 2);
        assert_int_equal(t->f->refusal.code, REFUSAL_INTERNAL);
        world_settle(&t->w);
        scene_submit(t, &plain);
        fake_fail_slot(t->z, t->number);
        assert_int_equal(l->stats.failures, 3);
        world_settle(&t->w);
        scene_submit(t, &plain);
        fake_die(t->z);
        assert_int_equal(l->stats.failures, 4);
        assert_int_equal(t->f->refusal.code, REFUSAL_UNAVAILABLE);
}

static void submit_urgent(struct front *f)
{
        world_submit(f->world, &(struct front_wish){ .language = "comp", .priority = 7 });
}

/* A new execution pushes an older one out of the full queue. Then the older one's front submits a more urgent
 * execution, which pushes the new one out. */
static void who_gives_way_may_push_the_newcomer_out(void **state)
{
        struct scene *t = *state;

        submit_urgent(&(struct front){ .world = &t->w }); /* this one runs, and is not in the queue */
        world_next_front(&t->w)->at_end = submit_urgent;
        world_submit(&t->w, &(struct front_wish){ .language = "comp" });
        for (int i = 0; i < 19; i++)
                submit_urgent(&(struct front){ .world = &t->w });
        scene_submit(t, &(struct front_wish){ .language = "comp", .priority = 1 });
        assert_null(t->f->execution);
        assert_int_equal(t->f->refusal.code, REFUSAL_RESOURCE_EXHAUSTED);
        assert_int_equal(t->w.core->sched.queue.count, 20);
        core_shut_down(t->w.core);
        world_settle(&t->w);
}

/* ---------------------------------------------------------------- the configuration */

static void a_reload_without_memory_changes_nothing(void **state)
{
        struct scene *t = *state;
        struct config is;
        struct err e = { 0 };

        assert_int_equal(config_load(&is, "language other { warm = 1 running = 1 }\n", "test", &e), 0);
        world_fail_allocation(1);
        assert_int_equal(core_reload(t->w.core, &t->w.config, &is, &e), -ENOMEM);
        world_fail_allocation(0);
        config_fini(&is);
        scene_submit(t, &plain);
        end(t);
        assert_int_equal(t->f->status, OUTCOME_EXITED);
        assert_ptr_equal(t->w.core->config, &t->w.config);
        assert_ptr_equal(t->w.core->sched.config, &t->w.config);
}

/* ---------------------------------------------------------------- jobs */

static void a_failure_of_the_job_after_a_cancel_changes_nothing(void **state)
{
        static const struct job_failure failure = { .step = JOB_STEP_LIMITS, .error = EIO };
        struct scene *t = *state;

        scene_submit(t, &plain);
        execution_cancel(t->f->execution);
        fake_tell_failure(t->s, &failure);
        end(t);
        assert_int_equal(t->f->status, OUTCOME_CANCELLED);
}

static void each_failure_of_a_job_has_its_sentence(void **state)
{
        static const struct {
                struct job_failure failure;
                const char *word;
        } rows[] = {
                { { .step = JOB_STEP_LIMITS, .error = EMFILE }, "Too many open files" },
                { { .step = JOB_STEP_FILE, .error = ENOSPC, .name = "a" }, "\"a\" does not fit" },
                { { .step = JOB_STEP_FILE, .error = EINVAL, .name = "a" }, "\"a\" can't be made" },
        };
        struct scene *t = *state;

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                scene_submit(t, &plain);
                fake_tell_failure(t->s, &rows[i].failure);
                end(t);
                assert_int_equal(t->f->refused, 1);
                if (!strstr(t->f->refusal.text, rows[i].word))
                        fail_msg("\"%s\" does not contain \"%s\"", t->f->refusal.text, rows[i].word);
        }
}

/* ---------------------------------------------------------------- live input */

static size_t read_input(struct scene *t)
{
        char bytes[1 << 16];
        size_t n = 0;

        world_turn(&t->w);
        for (ssize_t got; (got = read(t->s->in, bytes, sizeof bytes)) > 0; world_turn(&t->w))
                n += (size_t)got;
        return n;
}

static void live_input_comes_whole_and_is_bounded(void **state)
{
        static const uint8_t bytes[CORE_INPUT_ROOM + 1];
        const struct span whole = { bytes, CORE_INPUT_ROOM }, too_much = { bytes, CORE_INPUT_ROOM + 1 };
        struct scene *t = *state;
        struct front_wish wish = plain;
        char byte;

        wish.live_input = true;
        wish.input = 100;
        scene_submit(t, &wish);
        assert_int_equal(read_input(t), 100);
        assert_int_equal(read(t->s->in, &byte, 1), -1); /* the input stays open */

        uint64_t before = t->w.memory.used;
        assert_int_equal(execution_input(t->f->execution, too_much, false), -EINVAL);
        unsigned wanted = t->f->wanted;
        assert_int_equal(execution_input(t->f->execution, whole, false), 0);
        assert_true(t->w.memory.used > before + whole.len / 2);
        assert_int_equal(execution_input(t->f->execution, whole, false), -EAGAIN);
        assert_int_equal(t->f->wanted, wanted); /* the program has read less than half of the input */
        assert_int_equal(read_input(t), whole.len);
        assert_int_equal(t->f->wanted, wanted + 1);
        assert_int_equal(t->w.memory.used, before);
        assert_int_equal(execution_input(t->f->execution, (struct span){ bytes, 7 }, true), 0);
        assert_int_equal(read_input(t), 7);
        assert_int_equal(read(t->s->in, &byte, 1), 0);
        assert_int_equal(execution_input(t->f->execution, (struct span){ bytes, 1 }, true), -EINVAL);
        end(t);
        assert_int_equal(t->f->status, OUTCOME_EXITED);
}

static void input_that_nobody_reads_is_no_fault(void **state)
{
        struct scene *t = *state;
        struct front_wish wish = plain;

        wish.live_input = true;
        scene_submit(t, &wish);
        close(t->s->in);
        t->s->in = -1;
        const uint64_t before = t->w.memory.used;
        assert_int_equal(execution_input(t->f->execution, span_of_text("more"), false), 0);
        world_turn(&t->w);
        assert_int_equal(live_input_held(&t->f->execution->live), 0);
        assert_int_equal(t->w.memory.used, before);
        assert_int_equal(execution_input(t->f->execution, span_of_text("more"), false), -EPIPE);
        end(t);
        assert_int_equal(t->f->status, OUTCOME_EXITED);
}

static void what_has_no_live_input_takes_none(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &plain);
        assert_int_equal(execution_input(t->f->execution, span_of_text("more"), false), -EINVAL);
        end(t);
}

/* ---------------------------------------------------------------- signals */

static void a_signal_goes_to_what_runs(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &plain);
        assert_int_equal(execution_signal(t->f->execution, 0), -EINVAL);
        assert_int_equal(execution_signal(t->f->execution, CORE_MAX_SIGNAL + 1), -EINVAL);
        assert_int_equal(t->s->signal, 0);
        assert_int_equal(execution_signal(t->f->execution, SIGINT), 0);
        assert_int_equal(t->s->signal, SIGINT);
        execution_cancel(t->f->execution);
        assert_int_equal(execution_signal(t->f->execution, SIGTERM), -ESRCH);
        world_settle(&t->w);
}

/* While the sandbox has only a part of its job, a signal would end the process that is going to run the program. */
static void a_signal_is_refused_before_the_whole_job_is_sent(void **state)
{
        struct scene *t = *state;
        struct front_wish wish = plain;

        wish.code = 4 << 20;
        scene_submit(t, &wish);
        assert_int_equal(execution_signal(t->f->execution, SIGINT), -ESRCH);
        end(t);
        world_settle(&t->w);
        t->s = world_sandbox_of(&t->w, t->f, &t->z, &t->number);
        execution_cancel(t->f->execution);
        world_settle(&t->w);
}

static void a_compiler_gets_no_signal(void **state)
{
        struct scene *t = *state;
        struct front_wish wish = plain;

        wish.language = "comp";
        scene_submit(t, &wish);
        assert_int_equal(execution_signal(t->f->execution, SIGINT), -ESRCH);
        execution_cancel(t->f->execution);
        world_settle(&t->w);
        assert_int_equal(t->f->status, OUTCOME_CANCELLED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(no_run_goes_on_without_its_limits),
                TEST(a_run_whose_cpu_time_can_not_be_looked_at_again_is_refused),
                TEST(a_deadline_that_can_not_be_kept_is_told),
                TEST(a_deadline_may_end_it_before_its_wall_limit),
                TEST(cpu_time_is_looked_at_until_it_is_used_up),
                TEST(the_first_reason_counts),
                TEST(limits_beyond_those_of_the_zygote_are_refused),
                TEST(a_slot_that_fails_is_one_failure),
                TEST(who_gives_way_may_push_the_newcomer_out),
                TEST(a_reload_without_memory_changes_nothing),
                TEST(a_failure_of_the_job_after_a_cancel_changes_nothing),
                TEST(each_failure_of_a_job_has_its_sentence),
                TEST(live_input_comes_whole_and_is_bounded),
                TEST(input_that_nobody_reads_is_no_fault),
                TEST(what_has_no_live_input_takes_none),
                TEST(a_signal_goes_to_what_runs),
                TEST(a_signal_is_refused_before_the_whole_job_is_sent),
                TEST(a_compiler_gets_no_signal),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
