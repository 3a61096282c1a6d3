/* Runs that end while their sinks take no output: what such runs still hold, and which events end their waiting. */
#include "pool/core/execution.h"
#include "tests/core/scene.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { SECOND = 1000000, LENGTH = 50000 };

static const struct front_wish streaming = { .language = "fork", .streams = true, .wall_us = 5 * SECOND };

/* Brings a run to its end: the program has written its bytes and ended, and the sink took one byte. */
static void end_untaken(struct scene *t, const struct front_wish *wish)
{
        scene_submit(t, wish);
        t->f->bounded = true;
        t->f->credit = 1;
        fake_write(t->s, false, LENGTH);
        world_turn(&t->w);
        fake_exit(t->z, t->number, 0, false);
        world_settle(&t->w);
        assert_int_equal(t->f->execution->state, EXECUTION_DELIVERING);
        assert_int_equal(t->f->told[STREAM_STDOUT], 1);
}

static void the_answer_comes_at_the_deadline(void **state)
{
        struct scene *t = *state;
        struct front_wish wish = streaming;

        wish.deadline_us = 2 * SECOND;
        end_untaken(t, &wish);
        world_advance(SECOND);
        assert_int_equal(t->f->finished, 0);
        world_advance(SECOND);
        assert_int_equal(t->f->finished, 1);
        assert_int_equal(t->f->status, OUTCOME_EXITED);
        assert_int_equal(t->f->told[STREAM_STDOUT], 1);
        assert_int_equal(t->f->total[STREAM_STDOUT], LENGTH);
}

static void one_that_takes_the_rest_is_told_before_the_deadline(void **state)
{
        struct scene *t = *state;
        struct front_wish wish = streaming;

        wish.deadline_us = 2 * SECOND;
        end_untaken(t, &wish);
        world_give_all(t->f);
        assert_int_equal(t->f->finished, 1);
        assert_int_equal(t->f->told[STREAM_STDOUT], LENGTH);
        world_advance(3 * SECOND);
}

/* The run still runs at the deadline: it is killed, and its answer does not wait for its output. */
static void one_that_the_deadline_has_ended_is_answered_then(void **state)
{
        struct scene *t = *state;
        struct front_wish wish = streaming;

        wish.deadline_us = SECOND;
        scene_submit(t, &wish);
        t->f->bounded = true;
        fake_write(t->s, false, LENGTH);
        world_turn(&t->w);
        world_advance(SECOND);
        world_settle(&t->w);
        world_advance(SECOND / 100);
        assert_int_equal(t->f->finished, 1);
        assert_int_equal(t->f->status, OUTCOME_TIME_LIMIT);
        assert_int_equal(t->f->told[STREAM_STDOUT], 0);
}

static void a_deadline_that_cant_be_kept_is_over_at_once(void **state)
{
        struct scene *t = *state;
        struct front_wish wish = streaming;

        wish.deadline_us = 10 * SECOND;
        unsigned at_once = 0;
        for (unsigned n = 1; n < 12; n++) {
                scene_submit(t, &wish);
                t->f->bounded = t->f->loses = true;
                fake_write(t->s, false, LENGTH);
                world_turn(&t->w);
                world_fail_timer(n);
                fake_exit(t->z, t->number, 0, false);
                world_settle(&t->w);
                world_fail_timer(0);
                if (t->f->finished == 1 && t->f->told[STREAM_STDOUT] == 0)
                        at_once++;
                else
                        world_give_all(t->f);
                assert_int_equal(t->f->finished, 1);
        }
        assert_int_equal(at_once, 1);
}

static void what_it_was_asked_to_run_is_held_no_longer(void **state)
{
        struct scene *t = *state;
        struct front_wish wish = streaming;

        wish.code = 1 << 20;
        scene_submit(t, &wish);
        assert_true(t->w.memory.used > 1 << 20);
        while (t->f->execution->run.fed_us == 0) {
                fake_read_job(t->s);
                world_turn(&t->w);
        }
        t->f->bounded = true;
        fake_write(t->s, false, LENGTH);
        fake_exit(t->z, t->number, 0, false);
        world_settle(&t->w);
        assert_int_equal(t->f->execution->state, EXECUTION_DELIVERING);
        assert_in_range(t->w.memory.used, LENGTH, LENGTH + (128 << 10));
        world_give_all(t->f);
        assert_int_equal(t->f->finished, 1);
        assert_int_equal(t->f->told[STREAM_STDOUT], LENGTH);
}

/* Only ended executions give way, never running ones. */
static void it_gives_way_when_memory_is_short(void **state)
{
        struct scene *t = *state;

        end_untaken(t, &streaming);
        struct front *first = t->f;
        scene_submit(t, &streaming);
        t->f->bounded = true;
        fake_write(t->s, false, LENGTH);
        world_turn(&t->w);
        core_tick(t->w.core);
        assert_int_equal(first->refused, 0);
        const uint64_t max = t->w.memory.max;
        t->w.memory.max = t->w.memory.used - 1;
        core_tick(t->w.core);
        t->w.memory.max = max;
        assert_int_equal(first->refused, 1);
        assert_int_equal(first->refusal.code, REFUSAL_RESOURCE_EXHAUSTED);
        assert_non_null(strstr(first->refusal.text, "was not taken"));
        assert_int_equal(t->f->refused, 0);
        world_give_all(t->f);
        fake_exit(t->z, t->number, 0, false);
        world_settle(&t->w);
        assert_int_equal(t->f->finished, 1);
}

static void only_as_many_give_way_as_are_needed(void **state)
{
        struct scene *t = *state;

        end_untaken(t, &streaming);
        struct front *first = t->f;
        end_untaken(t, &streaming);
        const uint64_t max = t->w.memory.max;
        t->w.memory.max = t->w.memory.used - 1;
        core_tick(t->w.core);
        t->w.memory.max = max;
        assert_int_equal(first->refused, 1);
        assert_int_equal(t->f->refused, 0);
        world_give_all(t->f);
        assert_int_equal(t->f->finished, 1);
}

/* ---------------------------------------------------------------- live input */

static const struct front_wish live = { .language = "fork", .live_input = true, .wall_us = 5 * SECOND };

static void the_room_for_input_is_what_is_not_held(void **state)
{
        static uint8_t bytes[CORE_INPUT_ROOM];
        struct scene *t = *state;

        scene_submit(t, &live);
        struct execution *x = t->f->execution;
        assert_int_equal(execution_input_room(x), CORE_INPUT_ROOM);
        assert_int_equal(execution_input(x, (struct span){ bytes, sizeof bytes }, false), 0);
        world_turn(&t->w);
        const int room = execution_input_room(x);
        assert_in_range(room, 1, CORE_INPUT_ROOM - 1); /* the pipe has taken some bytes */
        assert_int_equal(execution_input(x, (struct span){ bytes, (size_t)room + 1 }, false), -EAGAIN);
        assert_int_equal(execution_input(x, (struct span){ bytes, (size_t)room }, true), 0);
        assert_int_equal(execution_input_room(x), -EINVAL); /* the input has ended */
        fake_exit(t->z, t->number, 0, false);
        world_settle(&t->w);
}

static void a_program_that_takes_no_more_is_told_of_once(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &live);
        struct execution *x = t->f->execution;
        close(t->s->in);
        t->s->in = -1;
        unsigned before = t->f->wanted;
        assert_int_equal(execution_input(x, (struct span){ (const uint8_t *)"a", 1 }, false), 0);
        world_turn(&t->w);
        assert_int_equal(t->f->wanted, before + 1);
        assert_int_equal(execution_input_room(x), -EPIPE);
        assert_int_equal(execution_input(x, (struct span){ (const uint8_t *)"a", 1 }, false), -EPIPE);
        world_turn(&t->w);
        fake_exit(t->z, t->number, 0, false);
        world_settle(&t->w);
        assert_int_equal(t->f->wanted, before + 1);
}

/* The outcome reports the end of the run, so its input needs no message of its own. */
static void the_end_of_a_run_closes_its_input_silently(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &live);
        unsigned before = t->f->wanted;
        fake_exit(t->z, t->number, 0, false);
        world_settle(&t->w);
        assert_int_equal(t->f->wanted, before);
        assert_int_equal(t->f->finished, 1);
}

/* A waiting request counts as if all the input had come that its client may send. */
static void what_may_be_sent_counts_against_the_queue(void **state)
{
        struct scene *t = *state;
        struct front_wish wish = live;

        for (int i = 0; t->w.core->sched.queue.count == 0; i++) {
                assert_true(i < 64);
                world_submit(&t->w, &wish);
                world_turn(&t->w);
        }
        assert_in_range(t->w.core->sched.queue.bytes, CORE_INPUT_ROOM, 2 * CORE_INPUT_ROOM);
        for (unsigned i = 0; i < WORLD_FRONTS; i++)
                if (t->w.front[i].used && t->w.front[i].execution)
                        world_abandon(&t->w.front[i]);
        world_settle(&t->w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
        signal(SIGPIPE, SIG_IGN); /* as in the pool */
        const struct CMUnitTest tests[] = {
                TEST(the_answer_comes_at_the_deadline),
                TEST(one_that_takes_the_rest_is_told_before_the_deadline),
                TEST(one_that_the_deadline_has_ended_is_answered_then),
                TEST(a_deadline_that_cant_be_kept_is_over_at_once),
                TEST(what_it_was_asked_to_run_is_held_no_longer),
                TEST(it_gives_way_when_memory_is_short),
                TEST(only_as_many_give_way_as_are_needed),
                TEST(the_room_for_input_is_what_is_not_held),
                TEST(a_program_that_takes_no_more_is_told_of_once),
                TEST(the_end_of_a_run_closes_its_input_silently),
                TEST(what_may_be_sent_counts_against_the_queue),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
