/* Output as it comes, with sinks that take a part of the bytes or none, while the program runs and after its end. */
#include "pool/core/execution.h"
#include "tests/core/scene.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECOND = 1000000 };

static void end(struct scene *t)
{
        if (t->s && t->s->state == FAKE_WARM)
                fake_exit(t->z, t->number, 0, false);
        world_settle(&t->w);
}

static const struct front_wish streaming = { .language = "fork", .streams = true, .wall_us = 5 * SECOND };

static void resume(struct front *f)
{
        if (f->execution)
                execution_resume(f->execution);
}

static void cancel(struct front *f)
{
        if (f->execution)
                execution_cancel(f->execution);
}

static void abandon(struct front *f)
{
        if (f->execution)
                world_abandon(f);
}

/* ---------------------------------------------------------------- while it runs */

static void a_full_sink_stops_the_reading_and_loses_nothing(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &streaming);
        fake_write(t->s, false, 10);
        world_turn(&t->w);
        assert_int_equal(t->f->told[STREAM_STDOUT], 10);

        t->f->bounded = true;
        t->f->credit = 2;
        fake_write(t->s, true, 5);
        world_turn(&t->w);
        assert_true(t->f->full);
        assert_int_equal(t->f->told[STREAM_STDERR], 2);
        fake_write(t->s, false, 20);
        world_turn(&t->w);
        assert_int_equal(t->f->told[STREAM_STDOUT], 10);
        assert_int_equal(t->f->execution->run.out.total, 10); /* the rest is in the pipe, so the program waits */
        world_give_all(t->f);
        assert_int_equal(t->f->told[STREAM_STDERR], 5); /* at once, before the bytes in the pipe */
        assert_int_equal(t->f->told[STREAM_STDOUT], 10);
        world_turn(&t->w);
        assert_int_equal(t->f->told[STREAM_STDOUT], 30);
        end(t);
        assert_int_equal(t->f->total[STREAM_STDERR], 5);
}

/* The slot of a dead sandbox does not wait for a slow reader. */
static void a_dead_sandbox_waits_for_no_sink(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &streaming);
        t->f->bounded = true;
        t->f->credit = 1;
        fake_write(t->s, false, 2);
        world_turn(&t->w);
        fake_write(t->s, false, 50000);
        fake_exit(t->z, t->number, 0, false);
        world_settle(&t->w);
        assert_int_equal(t->f->execution->state, EXECUTION_DELIVERING);
        assert_null(t->f->execution->run.slot);
        assert_int_equal(t->f->told[STREAM_STDOUT], 1);
        world_give(t->f, 50000);
        assert_int_equal(t->f->told[STREAM_STDOUT], 50001);
        assert_int_equal(t->f->finished, 0); /* one byte is left */
        world_give(t->f, 1);
        assert_int_equal(t->f->told[STREAM_STDOUT], 50002);
        assert_int_equal(t->f->finished, 1);
}

/* This holds for any number of bytes that the sink takes at once, and for a living and a dead program. */
static void no_more_is_told_than_the_limit_allows(void **state)
{
        static const size_t first[] = { 0, 1, 400, 999, 1000, 1001, 5000 };
        struct scene *t = *state;
        struct front_wish wish = streaming;

        wish.output_bytes = 1000;
        for (size_t i = 0; i < 2 * sizeof first / sizeof first[0]; i++)
                for (int truncates = 0; truncates < 2; truncates++) {
                        wish.truncates = truncates;
                        scene_submit(t, &wish);
                        t->f->bounded = true;
                        t->f->credit = first[i / 2];
                        fake_write(t->s, false, 700);
                        world_turn(&t->w);
                        fake_write(t->s, false, 800);
                        fake_write(t->s, true, 1000); /* the other stream has a limit of its own */
                        if (i % 2)
                                world_give_all(t->f);
                        world_turn(&t->w);
                        end(t);
                        if (t->f->execution)
                                world_give_all(t->f);
                        assert_int_equal(t->f->finished, 1);
                        assert_int_equal(t->f->told[STREAM_STDOUT], 1000);
                        assert_int_equal(t->f->told[STREAM_STDERR], 1000);
                        assert_int_equal(t->f->total[STREAM_STDOUT], 1500);
                        assert_true(t->f->outcome.output.out_truncated && !t->f->outcome.output.err_truncated);
                        assert_int_equal(t->f->status, truncates ? OUTCOME_EXITED : OUTCOME_OUTPUT_LIMIT);
                }
}

/* A program that exceeds its limit while its sink takes nothing waits in its pipe. Its excess is noticed when it goes
 * on. */
static void a_sink_that_takes_nothing_does_not_raise_the_limit(void **state)
{
        struct scene *t = *state;
        struct front_wish wish = streaming;

        wish.output_bytes = 1000;
        scene_submit(t, &wish);
        t->f->bounded = true;
        fake_write(t->s, false, 1000);
        world_turn(&t->w);
        fake_write(t->s, false, 1);
        world_turn(&t->w);
        assert_int_equal(t->f->execution->run.reason, KILL_NONE);
        world_give(t->f, 999);
        world_turn(&t->w);
        assert_int_equal(t->f->execution->run.reason, KILL_NONE);
        world_give(t->f, 1);
        world_turn(&t->w);
        assert_int_equal(t->f->execution->run.reason, KILL_OUTPUT);
        world_settle(&t->w);
        assert_int_equal(t->f->told[STREAM_STDOUT], 1000);
        assert_int_equal(t->f->status, OUTCOME_OUTPUT_LIMIT);
}

/* Bytes of one stream are kept because the sink did not take the other. They count against the limit of their own
 * stream. */
static void what_was_told_before_counts_for_the_limit(void **state)
{
        struct scene *t = *state;
        struct front_wish wish = streaming;

        wish.truncates = true;
        wish.output_bytes = 1000;
        for (int other = 0; other < 2; other++) {
                scene_submit(t, &wish);
                fake_write(t->s, false, 400);
                world_turn(&t->w);
                t->f->bounded = true;
                t->f->credit = 100;
                fake_write(t->s, other, 200);
                world_turn(&t->w);
                world_give(t->f, 30);
                assert_true(t->f->full);
                fake_write(t->s, false, 1000);
                end(t);
                for (int i = 0; i < 9; i++)
                        if (t->f->execution)
                                world_give(t->f, 300);
                assert_int_equal(t->f->told[STREAM_STDOUT], 1000);
                assert_int_equal(t->f->finished, 1);
        }
}

/* ---------------------------------------------------------------- after its end */

/* Brings the run to its end with bytes of both streams that the sink has not taken yet. */
static void reach_delivering(struct scene *t)
{
        scene_submit(t, &streaming);
        t->f->bounded = true;
        fake_write(t->s, false, 1);
        world_turn(&t->w);
        fake_write(t->s, false, 10);
        fake_write(t->s, true, 20);
        end(t);
        assert_int_equal(t->f->execution->state, EXECUTION_DELIVERING);
        assert_null(t->f->execution->queued.account); /* the execution has no slot, and is charged for none */
        assert_int_equal(t->f->told[0] + t->f->told[1], 0);
}

static void resuming_while_the_rest_is_told_changes_nothing(void **state)
{
        struct scene *t = *state;

        reach_delivering(t);
        t->f->deed = resume;
        world_give_all(t->f);
        assert_int_equal(t->f->finished, 1);
        assert_int_equal(t->f->told[0], 11);
        assert_int_equal(t->f->told[1], 20);
}

static void what_is_abandoned_while_the_rest_is_told_is_gone(void **state)
{
        struct scene *t = *state;

        for (size_t credit = 0; credit < 12; credit++) {
                reach_delivering(t);
                t->f->deed = abandon;
                world_give(t->f, credit);
                assert_true(t->f->abandoned);
                assert_int_equal(core_running(t->w.core), 0);
        }
}

static void the_rest_is_told_bit_by_bit(void **state)
{
        struct scene *t = *state;

        reach_delivering(t);
        world_give(t->f, 0);
        assert_true(t->f->full);
        for (unsigned n = 1; n <= 31; n++) {
                world_give(t->f, 1);
                assert_int_equal(t->f->told[0], n < 11 ? n : 11); /* one stream, then the other */
                assert_int_equal(t->f->told[0] + t->f->told[1], n);
                assert_int_equal(t->f->finished, n == 31); /* no byte is left for the sink */
        }
}

/* For a sink that takes nothing, a run holds the bytes of one read; all others wait in the pipes. The memory of that
 * read is counted, and given back as soon as the sink has taken the bytes. */
static void little_is_kept_for_a_sink_that_takes_nothing(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &streaming);
        const struct run *r = &t->f->execution->run;
        const uint64_t before = t->w.memory.used;
        t->f->bounded = true;
        fake_write(t->s, false, 60000);
        fake_write(t->s, true, 60000);
        world_turn(&t->w);
        assert_int_equal(r->out.total + r->err.total, 60000);
        assert_in_range(t->w.memory.used - before, 60000, RUN_SCRATCH);
        for (int i = 0; i < 1000; i++)
                world_give(t->f, 59);
        world_turn(&t->w);
        assert_int_equal(r->out.total + r->err.total, 60000);
        assert_true(t->w.memory.used > before);
        world_give(t->f, 1000); /* all kept bytes: there is credit, but nothing to send */
        assert_int_equal(t->w.memory.used, before);
        assert_false(t->f->full);
        world_give_all(t->f);
        world_turn(&t->w);
        assert_int_equal(t->f->told[0] + t->f->told[1], 120000);
        assert_int_equal(t->w.memory.used, before);
        end(t);
}

/* While bytes of one stream are kept, the other stream is not read either: the sink gets bytes in the order of the
 * reads. */
static void the_order_of_both_streams_survives_a_sink_that_takes_little(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &streaming);
        t->f->bounded = true;
        for (unsigned i = 0; i < 20; i++) {
                fake_write(t->s, i % 2, 3);
                world_turn(&t->w);
                for (unsigned n = 1; n <= 3; n++) {
                        assert_int_equal(t->f->told[0] + t->f->told[1], 3 * i + n - 1);
                        assert_int_equal(t->f->told[i % 2], 3 * (i / 2) + n - 1);
                        world_give(t->f, 1);
                        world_turn(&t->w);
                }
        }
        end(t);
        assert_int_equal(t->f->finished, 1);
        assert_int_equal(t->f->told[0] + t->f->told[1], 60);
}

/* The sink cancels or abandons within the call in which it takes few bytes or none. The kept bytes then have no
 * taker. */
static void what_takes_little_may_be_abandoned_or_cancelled_by_that(void **state)
{
        struct scene *t = *state;

        for (int i = 0; i < 8; i++) {
                scene_submit(t, &streaming);
                t->f->bounded = true;
                t->f->credit = (size_t)(i / 2) * 50;
                t->f->deed = i % 2 ? abandon : cancel;
                fake_write(t->s, false, 100);
                world_turn(&t->w);
                end(t);
                if (t->f->execution)
                        world_give_all(t->f);
                assert_int_equal(t->f->abandoned, i % 2);
                assert_int_equal(core_running(t->w.core), 0);
                if (t->f->finished)
                        assert_int_equal(t->f->status, OUTCOME_CANCELLED);
        }
}

static void nothing_is_kept_for_nobody(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &streaming);
        world_abandon(t->f);
        const uint64_t before = t->w.memory.used;
        fake_write(t->s, false, 50000);
        world_turn(&t->w);
        assert_int_equal(t->w.memory.used, before);
        end(t);
}

/* The sink returns more bytes than it was given. This mistake aborts the process, so the test runs in a child. */
static void a_sink_that_takes_what_there_is_not_is_wrong(void **state)
{
        struct scene *t = *state;
        int status;

        scene_submit(t, &streaming);
        fake_write(t->s, false, 10);
        pid_t child = fork();
        if (child == 0) {
                signal(SIGABRT, SIG_DFL);
                dup2(t->w.log.fd, STDERR_FILENO); /* the process prints its last sentence there */
                t->f->greedy = true;
                world_turn(&t->w);
                _exit(0);
        }
        assert_true(child > 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        world_turn(&t->w);
        end(t);
}

static void no_memory_to_keep_what_was_not_taken_is_a_fault(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &streaming);
        t->f->bounded = true;
        t->f->credit = 10;
        fake_write(t->s, false, 100);
        world_fail_allocation(1);
        world_turn(&t->w);
        world_fail_allocation(0);
        assert_int_equal(t->f->execution->run.reason, KILL_FAULT);
        end(t);
        assert_int_equal(t->f->refusal.code, REFUSAL_INTERNAL);
        assert_int_equal(t->f->told[0], 10);
}

static void a_shutdown_says_that_it_was_begun(void **state)
{
        struct scene *t = *state;

        reach_delivering(t);
        core_drain(t->w.core);
        core_shut_down(t->w.core);
        assert_int_equal(t->f->refusal.code, REFUSAL_UNAVAILABLE);
        assert_non_null(strstr(t->f->refusal.text, "was ended for it"));
}

/* Another process holds the pipes open. Reading goes on, after the kept bytes. */
static void output_stays_in_order_after_the_death(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &streaming);
        t->f->bounded = true;
        fake_write(t->s, false, 1);
        world_turn(&t->w);
        fake_write(t->s, false, 100);
        fake_exit_with_open_pipes(t->z, t->number);
        world_turn(&t->w);
        assert_int_equal(t->f->execution->run.state, RUN_ENDING);
        world_give_all(t->f);
        fake_write(t->s, false, 1000);
        world_turn(&t->w);
        fake_close_output(t->s);
        world_settle(&t->w);
        assert_int_equal(t->f->told[0], 1101);
        assert_int_equal(t->f->status, OUTCOME_EXITED);
}

static void a_program_that_has_ended_takes_no_input(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &(struct front_wish){ .language = "fork", .streams = true, .live_input = true });
        t->f->bounded = true;
        fake_write(t->s, false, 1);
        world_turn(&t->w);
        end(t);
        assert_int_equal(t->f->execution->state, EXECUTION_DELIVERING);
        assert_int_equal(execution_input(t->f->execution, span_of_text("x"), false), -EPIPE);
        world_give_all(t->f);
        assert_int_equal(t->f->finished, 1);
}

static void captured_output_has_its_weight(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &(struct front_wish){ .language = "fork" });
        const uint64_t before = t->w.memory.used;
        fake_write(t->s, false, 50000);
        world_advance(SECOND / 10);
        assert_true(t->w.memory.used >= before + 50000);
        end(t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_full_sink_stops_the_reading_and_loses_nothing),
                TEST(a_dead_sandbox_waits_for_no_sink),
                TEST(no_more_is_told_than_the_limit_allows),
                TEST(a_sink_that_takes_nothing_does_not_raise_the_limit),
                TEST(what_was_told_before_counts_for_the_limit),
                TEST(resuming_while_the_rest_is_told_changes_nothing),
                TEST(what_is_abandoned_while_the_rest_is_told_is_gone),
                TEST(the_rest_is_told_bit_by_bit),
                TEST(little_is_kept_for_a_sink_that_takes_nothing),
                TEST(the_order_of_both_streams_survives_a_sink_that_takes_little),
                TEST(what_takes_little_may_be_abandoned_or_cancelled_by_that),
                TEST(nothing_is_kept_for_nobody),
                TEST(a_sink_that_takes_what_there_is_not_is_wrong),
                TEST(no_memory_to_keep_what_was_not_taken_is_a_fault),
                TEST(a_shutdown_says_that_it_was_begun),
                TEST(output_stays_in_order_after_the_death),
                TEST(a_program_that_has_ended_takes_no_input),
                TEST(captured_output_has_its_weight),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
