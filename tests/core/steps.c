/* The steps of an execution, the cache between them, and the counters. */
#include "pool/core/execution.h"
#include "pool/sched/language.h"
#include "tests/core/world.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SECOND = 1000000 };

struct scene {
        struct world w;
        struct cache *cache;
        char path[64];
        int directory;
};

static int set_up(void **state)
{
        struct scene *t = calloc(1, sizeof *t);
        struct err e = { 0 };

        assert_non_null(t);
        strcpy(t->path, "/tmp/hatchery-steps-XXXXXX");
        assert_non_null(mkdtemp(t->path));
        t->directory = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(cache_new(&t->cache, t->directory, 1 << 20, &e), 0);
        world_make(&t->w);
        t->w.core->cache = t->cache;
        world_bring_zygotes(&t->w);
        world_settle(&t->w);
        *state = t;
        return 0;
}

static int tear_down(void **state)
{
        struct scene *t = *state;

        world_settle(&t->w);
        world_assert_clean(&t->w);
        world_end(&t->w);
        cache_bound(t->cache, 0); /* removes its entries */
        cache_free(t->cache);
        close(t->directory);
        rmdir(t->path);
        free(t);
        return 0;
}

static struct language *language(struct scene *t, const char *name)
{
        return sched_find(&t->w.core->sched, span_of_text(name));
}

/* How each sandbox of an execution behaves: how much it writes, how long it takes, and how it ends. */
struct course {
        size_t out, err;
        int64_t us;
        int wait_status;
        bool refuses;
};

static void refuse_to_translate(struct fake_slot *s)
{
        static const struct job_failure told[2] = { { .step = JOB_STEP_TRANSLATE }, { .step = JOB_STEP_REFUSED } };
        assert_int_equal(send(s->job, told, sizeof told, MSG_NOSIGNAL), sizeof told);
}

static struct front *run(struct scene *t, const struct front_wish *wish, const struct course *course)
{
        struct front *f = world_submit(&t->w, wish);
        struct fake_zygote *z;
        unsigned number;

        for (int i = 0; f->execution && i < 8; i++) {
                world_turn(&t->w);
                struct fake_slot *s = world_sandbox_of(&t->w, f, &z, &number);
                if (s && fake_has_job(s)) {
                        fake_write(s, false, course->out);
                        fake_write(s, true, course->err);
                        fake_read_job(s);
                        if (course->refuses)
                                refuse_to_translate(s);
                        world_advance(course->us);
                        fake_exit(z, number, course->wait_status, false);
                }
                world_settle(&t->w);
        }
        assert_int_equal(f->finished + f->refused, 1);
        return f;
}

/* ---------------------------------------------------------------- two steps */

static void a_compiled_program_has_two_steps(void **state)
{
        static const struct front_wish wish = { .language = "comp" };
        struct scene *t = *state;

        t->w.core->cache = NULL;
        const struct front *f = run(t, &wish, &(struct course){ .out = 7, .err = 9, .us = 30000 });
        assert_int_equal(f->status, OUTCOME_EXITED);
        assert_int_equal(f->stages, 2);
        assert_int_equal(f->stage[0], STAGE_COMPILE);
        assert_int_equal(f->stage[1], STAGE_RUN);
        assert_true(f->outcome.has_compile && !f->outcome.compile.cached);
        assert_int_equal(f->outcome.compile.output.err.len, 9);
        assert_int_equal(f->outcome.output.out.len, 7);
        assert_in_range(f->outcome.compile.compile_us, 30000, 35000);
        assert_in_range(f->outcome.end.wall_us, 30000, 35000);
        assert_true(f->outcome.queue_us < 30000); /* the compile step left out */
        assert_true(f->outcome.stage_us[STAGE_QUEUE] < 30000);
        assert_int_equal(language(t, "comp")->stats.runs, 1);
        assert_int_equal(language(t, "comp")->stats.stage[STAGE_COMPILE].count, 1);
        assert_int_equal(language(t, "comp")->stats.stage[STAGE_RUN].count, 1);
}

static void a_program_that_does_not_compile_has_one(void **state)
{
        static const struct front_wish wish = { .language = "comp" };
        struct scene *t = *state;

        const struct front *f = run(t, &wish, &(struct course){ .err = 9, .us = 1000, .wait_status = 3 << 8 });
        assert_int_equal(f->status, OUTCOME_COMPILE_ERROR);
        assert_int_equal(f->stages, 1);
        assert_int_equal(f->outcome.end.exit_code, 3);
        assert_int_equal(f->outcome.compile.end.exit_code, 3);
        assert_int_equal(f->outcome.compile.output.err.len, 9);
        assert_int_equal(language(t, "comp")->stats.runs, 1);
        assert_int_equal(language(t, "comp")->stats.stage[STAGE_COMPILE].count, 1);
        assert_int_equal(language(t, "comp")->stats.stage[STAGE_RUN].count, 0);
}

static void too_much_output_ends_no_compiler(void **state)
{
        static const struct front_wish wish = { .language = "comp", .output_bytes = 100 };
        struct scene *t = *state;

        const struct front *f = run(t, &wish, &(struct course){ .out = 50, .err = 60000 });
        assert_true(f->outcome.has_compile); /* it reached the run step, whose limit is smaller */
        assert_int_equal(f->stages, 2);
        assert_int_equal(f->status, OUTCOME_OUTPUT_LIMIT);
}

/* The language itself reports that it can't translate the program: the output is the compiler's, and no files are
 * collected. */
static void a_refusal_of_the_language_is_a_compile_error(void **state)
{
        static const struct front_wish wish = { .language = "fork", .collects = true, .output_bytes = 100 };
        struct scene *t = *state;
        const struct course course = { .err = 500, .wait_status = 1 << 8, .refuses = true };

        const struct front *f = run(t, &wish, &course);
        assert_int_equal(f->status, OUTCOME_COMPILE_ERROR);
        assert_int_equal(f->outcome.compile.end.status, OUTCOME_EXITED);
        assert_int_equal(f->outcome.compile.output.err.len, 100);
        assert_true(f->outcome.compile.output.err_truncated);
        assert_int_equal(f->outcome.n_files, 0);
        assert_int_equal(language(t, "fork")->stats.stage[STAGE_COMPILE].count, 1);
}

/* ---------------------------------------------------------------- the cache */

static void what_was_compiled_is_not_compiled_again(void **state)
{
        static const struct front_wish wish = { .language = "comp" };
        struct scene *t = *state;

        run(t, &wish, &(struct course){ .err = 9 });
        assert_int_equal(cache_count(t->cache), 1);
        const struct front *f = run(t, &wish, &(struct course){ .us = 30000 });
        assert_int_equal(f->stages, 1);
        assert_int_equal(f->stage[0], STAGE_RUN);
        assert_true(f->outcome.compile.cached);
        assert_int_equal(f->outcome.compile.output.err.len, 9);
        assert_int_equal(f->outcome.compile.end.status, OUTCOME_EXITED);
        assert_true(f->outcome.compile.compile_us < 30000);
        assert_int_equal(language(t, "comp")->stats.stage[STAGE_COMPILE].count, 1);
}

static void what_a_limit_has_cut_is_not_kept(void **state)
{
        static const struct front_wish wish = { .language = "comp" };
        struct scene *t = *state;

        language(t, "comp")->compile.standard[LIMIT_OUTPUT] = 100;
        /* The limit cuts the compiler's output, but does not end the compiler. */
        assert_int_equal(run(t, &wish, &(struct course){ .err = 500 })->stages, 2);
        assert_int_equal(cache_count(t->cache), 0);
}

/* A zygote that is to be replaced may make other artifacts than the next one. */
static void nothing_is_kept_of_a_zygote_that_goes(void **state)
{
        static const struct front_wish wish = { .language = "comp" };
        struct scene *t = *state;

        TAILQ_FIRST(&language(t, "comp")->zygotes)->stale = true;
        run(t, &wish, &(struct course){ 0 });
        assert_int_equal(cache_count(t->cache), 0);
}

/* At first a program is translated in its own run, then in a step of its own for the cache, then not at all. */
static void what_comes_again_is_kept(void **state)
{
        static const struct front_wish wish = { .language = "pre" };
        struct scene *t = *state;
        const struct course course = { .out = 7, .us = 30000 };

        const struct front *f = run(t, &wish, &course);
        assert_int_equal(f->stages, 1);
        assert_false(f->outcome.has_compile);
        f = run(t, &wish, &course);
        assert_int_equal(f->stages, 2);
        assert_true(f->outcome.has_compile);
        assert_int_equal(f->outcome.output.out_total, 14); /* the output of the compile step, and that of the run */
        assert_int_equal(f->outcome.compile.output.out.len, 0);
        f = run(t, &wish, &course);
        assert_int_equal(f->stages, 1);
        assert_true(f->outcome.compile.cached);
        assert_int_equal(f->outcome.output.out_total, 14);
        f = run(t, &(struct front_wish){ .language = "pre", .output_bytes = 5 }, &(struct course){ 0 });
        assert_true(f->outcome.compile.cached);
        assert_int_equal(f->status, OUTCOME_OUTPUT_LIMIT); /* the kept output alone is over the limit */
        assert_int_equal(cache_count(t->cache), 1);
}

/* ---------------------------------------------------------------- a slot that fails */

static struct fake_slot *find(struct scene *t, const struct front *f, struct fake_zygote **z, unsigned *number)
{
        world_turn(&t->w);
        return world_sandbox_of(&t->w, f, z, number);
}

/* Once in each step. */
static void each_step_may_fail_once(void **state)
{
        static const struct front_wish wish = { .language = "comp", .code = 4 << 20 };
        struct scene *t = *state;
        struct front *f = world_submit(&t->w, &wish);
        struct fake_zygote *z;
        unsigned number;

        for (int step = 0; step < 2; step++) {
                assert_non_null(find(t, f, &z, &number));
                fake_exit(z, number, 9, false);
                world_settle(&t->w);
                for (int i = 0; i < 60 && find(t, f, &z, &number) && !feed_is_done(&f->execution->run.job); i++)
                        fake_read_job(&z->slot[number]);
                fake_exit(z, number, 0, false);
                world_settle(&t->w);
        }
        assert_int_equal(f->finished, 1);
        assert_int_equal(language(t, "comp")->stats.failures, 2);
        assert_int_equal(language(t, "comp")->stats.runs, 1);
}

static void a_second_failure_is_told(void **state)
{
        static const struct front_wish wish = { .language = "fork", .code = 4 << 20 };
        struct scene *t = *state;
        struct front *f = world_submit(&t->w, &wish);
        struct fake_zygote *z;
        unsigned number;

        for (int i = 0; i < 2; i++) {
                assert_non_null(find(t, f, &z, &number));
                fake_exit(z, number, 9, false);
        }
        assert_int_equal(f->refusal.code, REFUSAL_INTERNAL);
        assert_non_null(strstr(f->refusal.text, "two sandboxes in a row"));
        assert_int_equal(language(t, "fork")->stats.failures, 2);
        assert_int_equal(language(t, "fork")->stats.runs, 0);
}

/* The slot's teardown is not proved, and its run was killed although no limit was met: another process has ended its
 * init. */
static void a_slot_that_is_not_proved_is_thrown_away(void **state)
{
        struct scene *t = *state;
        struct front *f = world_submit(&t->w, &(struct front_wish){ .language = "fork" });
        struct fake_zygote *z;
        unsigned number;

        assert_non_null(find(t, f, &z, &number));
        fake_exit(z, number, 9, true);
        assert_int_equal(f->refusal.code, REFUSAL_INTERNAL);
        assert_int_equal(language(t, "fork")->stats.failures, 1);
        assert_int_equal(language(t, "fork")->stats.discarded, 1);
}

static void files_that_break_off_cost_the_slot(void **state)
{
        struct scene *t = *state;
        struct front *f = world_submit(&t->w, &(struct front_wish){ .language = "fork", .collects = true });
        struct fake_zygote *z;
        unsigned number;

        assert_non_null(find(t, f, &z, &number));
        fake_exit(z, number, 0, false);
        assert_int_equal(z->pending[z->n_pending - 1].order.kind, ORDER_COLLECT);
        fake_fail(z, z->n_pending - 1);
        world_settle(&t->w);
        assert_int_equal(f->status, OUTCOME_EXITED);
        assert_int_equal(language(t, "fork")->stats.discarded, 1);
}

/* No client would read the files. */
static void no_files_are_collected_of_what_was_abandoned(void **state)
{
        struct scene *t = *state;
        struct front *f = world_submit(&t->w, &(struct front_wish){ .language = "fork", .collects = true });
        struct fake_zygote *z;
        unsigned number;

        assert_non_null(find(t, f, &z, &number));
        world_abandon(f);
        fake_exit(z, number, 0, false);
        for (unsigned i = 0; i < z->n_pending; i++)
                assert_int_not_equal(z->pending[i].order.kind, ORDER_COLLECT);
        assert_int_equal(core_running(t->w.core), 0);
}

static void pipes_that_stay_open_cost_the_slot(void **state)
{
        struct scene *t = *state;
        struct front *f = world_submit(&t->w, &(struct front_wish){ .language = "fork", .collects = true });
        struct fake_zygote *z;
        unsigned number;

        assert_non_null(find(t, f, &z, &number));
        fake_exit_with_open_pipes(z, number);
        world_advance(2 * SECOND);
        assert_int_equal(f->status, OUTCOME_EXITED);
        assert_int_equal(language(t, "fork")->stats.discarded, 1);
}

/* A sandbox that is not dead ten seconds after the order to kill it keeps its slot, and the client does not wait. */
static void what_does_not_die_keeps_its_slot(void **state)
{
        struct scene *t = *state;
        struct front *f =
                world_submit(&t->w, &(struct front_wish){ .language = "fork", .wall_us = 60 * (int64_t)SECOND });
        struct fake_zygote *z;
        unsigned number;

        assert_non_null(find(t, f, &z, &number));
        execution_cancel(f->execution);
        world_advance(11 * SECOND);
        assert_int_equal(f->refusal.code, REFUSAL_INTERNAL);
        assert_int_equal(language(t, "fork")->stats.failures, 1);
        assert_int_equal(language_busy(language(t, "fork")), 1);
}

/* ---------------------------------------------------------------- time and memory */

/* The run stage ends with the order to kill; the drain stage follows. */
static void the_run_ends_when_it_is_killed(void **state)
{
        struct scene *t = *state;
        struct front *f = world_submit(&t->w, &(struct front_wish){ .language = "fork" });
        struct fake_zygote *z;
        unsigned number;

        assert_non_null(find(t, f, &z, &number));
        world_advance(10000);
        execution_cancel(f->execution);
        world_advance(500000);
        fake_exit(z, number, 9, false);
        assert_int_equal(f->status, OUTCOME_CANCELLED);
        assert_int_equal(f->outcome.stage_us[STAGE_RUN], 10000);
        assert_int_equal(f->outcome.stage_us[STAGE_DRAIN], 500000);
}

/* A client that holds a slot for long is charged meanwhile. */
static void a_long_run_is_charged_before_its_end(void **state)
{
        struct scene *t = *state;
        const struct front_wish wish = { .language = "fork", .wall_us = 60 * (int64_t)SECOND };
        struct front *f = world_submit(&t->w, &wish);

        world_advance(30 * SECOND);
        core_tick(t->w.core);
        assert_true(f->execution->queued.charged_us >= 30 * SECOND);
        execution_cancel(f->execution);
        world_settle(&t->w);
}

/* The compiler gets no input; input that comes meanwhile is for the program. */
static void live_input_waits_for_the_program(void **state)
{
        struct scene *t = *state;
        struct front *f = world_submit(&t->w, &(struct front_wish){ .language = "comp", .live_input = true });
        struct fake_zygote *z;
        unsigned number;
        char bytes[16];

        assert_non_null(find(t, f, &z, &number));
        const uint64_t before = t->w.memory.used;
        assert_int_equal(execution_input(f->execution, span_of_text("abc"), true), 0);
        assert_int_equal(t->w.memory.used, before + 3);
        assert_int_equal(read(z->slot[number].in, bytes, sizeof bytes), 0); /* the input is closed */
        fake_exit(z, number, 0, false);
        world_settle(&t->w);
        assert_non_null(find(t, f, &z, &number));
        assert_int_equal(read(z->slot[number].in, bytes, sizeof bytes), 3);
        fake_exit(z, number, 0, false);
        assert_int_equal(f->status, OUTCOME_EXITED);
}

static void a_job_has_its_weight(void **state)
{
        struct scene *t = *state;
        const struct front_wish wish = { .language = "comp" };
        struct front *first = world_submit(&t->w, &wish), *second = world_submit(&t->w, &wish);

        assert_int_equal(first->execution->state, EXECUTION_RUNNING);
        assert_int_equal(second->execution->state, EXECUTION_WAITING);
        assert_true(first->execution->held > second->execution->held);
        assert_true(t->w.core->sched.queue.bytes > sizeof(struct execution));
        execution_cancel(first->execution);
        execution_cancel(second->execution);
        world_settle(&t->w);
}

/* ---------------------------------------------------------------- bounds */

static void what_can_start_at_once_asks_for_no_room(void **state)
{
        struct scene *t = *state;

        for (int i = 0; i < 21; i++) /* one of them runs */
                world_submit(&t->w, &(struct front_wish){ .language = "comp" });
        assert_int_equal(t->w.core->sched.queue.count, 20);
        struct front *f = world_submit(&t->w, &(struct front_wish){ .language = "fork" });
        assert_non_null(f->execution);
        assert_int_equal(t->w.core->sched.queue.count, 20);
        f = world_submit(&t->w, &(struct front_wish){ .language = "comp" });
        assert_int_equal(f->refusal.code, REFUSAL_RESOURCE_EXHAUSTED);
        assert_null(f->execution);
        f = world_submit(&t->w, &(struct front_wish){ .language = "comp", .peer = 1 }); /* another gives way */
        assert_non_null(f->execution);
        assert_int_equal(t->w.core->sched.queue.count, 20);
        core_drain(t->w.core);
        unsigned progress = t->w.progress;
        core_shut_down(t->w.core);
        world_settle(&t->w);
        assert_int_equal(t->w.progress, progress + 22);
        f = world_submit(&t->w, &(struct front_wish){ .language = "fork" });
        assert_int_equal(f->refusal.code, REFUSAL_UNAVAILABLE);
}

static void no_more_memory_is_held_than_is_allowed(void **state)
{
        struct scene *t = *state;

        t->w.memory.max = 100;
        struct front *f = world_submit(&t->w, &(struct front_wish){ .language = "fork", .wall_us = 1000 });
        const struct front *other = world_submit(&t->w, &(struct front_wish){ .language = "fork" });
        assert_int_equal(other->refusal.code, REFUSAL_RESOURCE_EXHAUSTED);
        execution_cancel(f->execution);
        world_settle(&t->w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_compiled_program_has_two_steps),
                TEST(a_program_that_does_not_compile_has_one),
                TEST(too_much_output_ends_no_compiler),
                TEST(a_refusal_of_the_language_is_a_compile_error),
                TEST(what_was_compiled_is_not_compiled_again),
                TEST(what_a_limit_has_cut_is_not_kept),
                TEST(nothing_is_kept_of_a_zygote_that_goes),
                TEST(what_comes_again_is_kept),
                TEST(each_step_may_fail_once),
                TEST(a_second_failure_is_told),
                TEST(a_slot_that_is_not_proved_is_thrown_away),
                TEST(files_that_break_off_cost_the_slot),
                TEST(no_files_are_collected_of_what_was_abandoned),
                TEST(pipes_that_stay_open_cost_the_slot),
                TEST(what_does_not_die_keeps_its_slot),
                TEST(the_run_ends_when_it_is_killed),
                TEST(a_long_run_is_charged_before_its_end),
                TEST(live_input_waits_for_the_program),
                TEST(a_job_has_its_weight),
                TEST(what_can_start_at_once_asks_for_no_room),
                TEST(no_more_memory_is_held_than_is_allowed),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
