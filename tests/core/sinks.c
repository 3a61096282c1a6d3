/* Calls that sinks make from within their callbacks. */
#include "pool/core/execution.h"
#include "pool/sched/language.h"
#include "tests/core/scene.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SECOND = 1000000 };

static void end(struct scene *t)
{
        if (t->s && t->s->state == FAKE_WARM)
                fake_exit(t->z, t->number, 0, false);
        world_settle(&t->w);
}

static const struct front_wish streaming = { .language = "fork", .streams = true, .wall_us = 5 * SECOND };
static const struct front_wish feeding = {
        .language = "fork", .streams = true, .live_input = true, .wall_us = 5 * SECOND
};

/* ---------------------------------------------------------------- deeds */

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

static void put_more(struct front *f)
{
        if (f->execution && f->wanted < 100)
                assert_int_equal(execution_input(f->execution, span_of_text("x"), false), 0);
}

static void submit_another(struct front *f)
{
        f->deed = NULL;
        world_submit(f->world, &(struct front_wish){ .language = "fork" });
}

/* ---------------------------------------------------------------- files */

static void what_is_abandoned_does_not_wait_for_its_files(void **state)
{
        struct scene *t = *state;

        for (int i = 0; i < 2; i++) {
                scene_submit(t, &(struct front_wish){ .language = i ? "fork" : "comp", .collects = true });
                fake_exit(t->z, t->number, 0, false);
                assert_int_equal(t->f->execution->run.state, RUN_COLLECTING);
                world_abandon(t->f);
                assert_int_equal(core_running(t->w.core), 0);
        }
}

static void what_is_ended_does_not_wait_for_its_files(void **state)
{
        struct scene *t = *state;

        for (int i = 0; i < 2; i++) {
                scene_submit(t, &(struct front_wish){ .language = "fork", .collects = true });
                if (i == 0)
                        execution_cancel(t->f->execution);
                else
                        core_shut_down(t->w.core);
                fake_exit(t->z, t->number, 9, false);
                assert_int_equal(core_running(t->w.core), 0);
                world_settle(&t->w);
        }
}

static void files_come_with_the_outcome(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &(struct front_wish){ .language = "pre", .collects = true });
        end(t);
        assert_int_equal(t->f->outcome.n_files, 1);
}

static void a_compiler_is_not_heard_at_once(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &(struct front_wish){ .language = "comp", .streams = true });
        fake_write(t->s, true, 10);
        world_turn(&t->w);
        end(t);
        assert_int_equal(t->f->told[1], 0);
        scene_find(t);
        fake_write(t->s, true, 20);
        end(t);
        assert_int_equal(t->f->told[1], 20);
        assert_int_equal(t->f->outcome.compile.output.err.len, 10);
}

static void files_that_can_not_be_told_apart_are_not_left_out(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &(struct front_wish){ .language = "fork", .collects = true, .changed_only = true });
        world_fail_allocation(1);
        fake_exit(t->z, t->number, 0, false);
        world_fail_allocation(0);
        assert_int_equal(t->f->refusal.code, REFUSAL_INTERNAL);
}

/* ---------------------------------------------------------------- from within */

static void each_call_may_be_answered_by_another(void **state)
{
        static void (*const deeds[])(struct front *) = { resume, cancel, abandon, submit_another };
        struct scene *t = *state;

        for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++)
                for (int where = 0; where < 3; where++) {
                        scene_submit(t, &feeding);
                        if (where == 0)
                                execution_input(t->f->execution, span_of_text("x"), false);
                        t->f->deed = deeds[i];
                        if (where == 1)
                                fake_write(t->s, false, 100);
                        if (where == 2)
                                execution_input(t->f->execution, span_of_text("x"), false);
                        world_turn(&t->w);
                        world_settle(&t->w);
                        for (unsigned k = 0; k < WORLD_SLOTS; k++)
                                if (fake_has_job(&t->z->slot[k]))
                                        fake_exit(t->z, k, 0, false);
                        end(t);
                        assert_int_equal(core_running(t->w.core), 0);
                }
}

static void input_is_asked_for_again_but_not_deeper(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &feeding);
        t->f->deed = put_more;
        assert_int_equal(execution_input(t->f->execution, span_of_text("x"), false), 0);
        assert_int_equal(t->f->wanted, 100);
        assert_int_equal(t->f->deepest, 1);
        t->f->deed = NULL;
        end(t);
}

static void abandon_what_is_known(struct front *f)
{
        for (unsigned i = 0; i < WORLD_FRONTS; i++)
                if (f->world->front[i].execution)
                        abandon(&f->world->front[i]);
}

static void a_stage_begins_before_the_execution_is_known(void **state)
{
        struct scene *t = *state;

        world_next_front(&t->w)->deed = abandon_what_is_known;
        scene_submit(t, &streaming);
        assert_int_equal(t->f->stages, 1);
        assert_non_null(t->f->execution);
        t->f->deed = NULL;
        end(t);
}

static void abandon_all_others(struct front *f)
{
        for (unsigned i = 0; i < WORLD_FRONTS; i++)
                if (&f->world->front[i] != f)
                        abandon(&f->world->front[i]);
}

/* All executions are ended one after the other, and each end may cause the end of another. */
static void one_end_may_bring_another(void **state)
{
        struct scene *t = *state;

        for (int i = 0; i < 8; i++) {
                struct front *next = world_next_front(&t->w);
                next->at_end = i % 3 == 0 ? abandon_all_others : submit_another;
                world_submit(&t->w, &(struct front_wish){ .language = "comp", .peer = (unsigned)i % 2 });
        }
        core_drain(t->w.core);
        core_shut_down(t->w.core);
        world_settle(&t->w);
        assert_int_equal(core_running(t->w.core), 0);
}

/* ---------------------------------------------------------------- what a second sandbox gets */

/* The sandbox dies with half of its job. */
static void begin_again(struct scene *t)
{
        assert_false(feed_is_done(&t->f->execution->run.job));
        fake_exit(t->z, t->number, 9, false);
        world_settle(&t->w);
        scene_find(t);
        assert_non_null(t->s);
        for (int i = 0; i < 100 && !feed_is_done(&t->f->execution->run.job); i++) {
                char buffer[1 << 16];
                while (recv(t->s->job, buffer, sizeof buffer, 0) > 0)
                        ;
                world_turn(&t->w);
        }
}

static void input_is_not_lost_with_a_sandbox(void **state)
{
        struct scene *t = *state;
        struct front_wish wish = feeding;
        char bytes[16];

        wish.code = 4 << 20;
        scene_submit(t, &wish);
        assert_int_equal(execution_input(t->f->execution, span_of_text("abc"), false), 0);
        begin_again(t);
        assert_int_equal(read(t->s->in, bytes, sizeof bytes), 3);
        assert_int_equal(execution_input(t->f->execution, span_of_text("de"), true), 0);
        assert_int_equal(read(t->s->in, bytes, sizeof bytes), 2);
        assert_int_equal(read(t->s->in, bytes, sizeof bytes), 0);
        end(t);
        assert_int_equal(t->f->status, OUTCOME_EXITED);
}

/* A compiler's earlier output goes out once, in order, to a sink that takes it. */
static void what_was_said_before_is_told_once(void **state)
{
        struct scene *t = *state;
        struct front_wish wish = streaming;

        wish.language = "pre";
        wish.code = 4 << 20;
        for (int i = 0; i < 2; i++) { /* the execution waits for a sandbox: */
                t->f = world_submit(&t->w, &wish);
                end(t);
        }
        abandon_what_is_known(t->f);
        t->f = world_submit(&t->w, &wish);
        struct compile *c = &t->f->execution->compile;
        assert_int_equal(t->f->execution->state, EXECUTION_WAITING);
        c->done = true;
        c->outcome.output.out = span_of_text("out");
        c->outcome.output.err = span_of_text("error");
        t->f->said[0] = 3;
        t->f->said[1] = 5;
        t->f->bounded = true;
        t->f->credit = 1;
        world_settle(&t->w);
        scene_find(t);
        begin_again(t);
        assert_int_equal(t->f->told[0], 1);
        assert_int_equal(t->f->told[1], 0);
        fake_write(t->s, true, 10);
        world_turn(&t->w);
        assert_int_equal(t->f->execution->run.err.total, 5);
        uint64_t weight = t->w.memory.used;
        world_give(t->f, 3);
        assert_int_equal(t->f->told[0], 3);
        assert_int_equal(t->f->told[1], 1);
        assert_true(t->w.memory.used < weight);
        world_give(t->f, 4);
        assert_int_equal(t->f->told[1], 5);
        world_give_all(t->f);
        world_turn(&t->w);
        assert_int_equal(t->f->told[1], 15);
        end(t);
        assert_int_equal(t->f->finished, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(what_is_abandoned_does_not_wait_for_its_files),
                TEST(what_is_ended_does_not_wait_for_its_files),
                TEST(files_come_with_the_outcome),
                TEST(a_compiler_is_not_heard_at_once),
                TEST(files_that_can_not_be_told_apart_are_not_left_out),
                TEST(each_call_may_be_answered_by_another),
                TEST(input_is_asked_for_again_but_not_deeper),
                TEST(a_stage_begins_before_the_execution_is_known),
                TEST(one_end_may_bring_another),
                TEST(input_is_not_lost_with_a_sandbox),
                TEST(what_was_said_before_is_told_once),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
