/* What is counted of executions: results by status, refusals by code, compile stages by whether the cache had them. */
#include "pool/cache/cache.h"
#include "pool/core/execution.h"
#include "pool/core/facts.h"
#include "tests/core/scene.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SECOND = 1000000 };

static const struct front_wish plain = { .language = "fork", .wall_us = 5 * SECOND };

static void end(struct scene *t, int wait_status)
{
        if (t->s && t->s->state == FAKE_WARM)
                fake_exit(t->z, t->number, wait_status, false);
        world_settle(&t->w);
}

static void facts_of(struct scene *t, const char *name, struct language_facts *l)
{
        struct core_facts facts;

        core_facts(t->w.core, &facts);
        for (size_t i = 0; i < facts.n_languages; i++) {
                core_language(t->w.core, i, l);
                if (strcmp(l->name, name) == 0)
                        return;
        }
        fail_msg("no %s", name);
}

static uint64_t results(struct scene *t, const char *name, enum outcome_status status)
{
        struct language_facts l;
        facts_of(t, name, &l);
        return l.results[status];
}

static uint64_t refusals(struct scene *t, enum refusal_code code)
{
        struct core_facts facts;
        core_facts(t->w.core, &facts);
        return facts.refusals[code];
}

/* ---------------------------------------------------------------- results */

static void each_end_is_counted_by_its_status(void **state)
{
        struct scene *t = *state;

        for (int i = 0; i < 3; i++) {
                scene_submit(t, &plain);
                end(t, i << 8);
        }
        scene_submit(t, &plain);
        end(t, SIGSEGV);
        scene_submit(t, &plain);
        world_advance(6 * SECOND);
        end(t, SIGKILL);
        scene_submit(t, &plain);
        execution_cancel(t->f->execution);
        end(t, SIGKILL);
        scene_submit(t, &(struct front_wish){ .language = "comp" });
        end(t, 1 << 8);
        assert_int_equal(results(t, "fork", OUTCOME_EXITED), 3);
        assert_int_equal(results(t, "fork", OUTCOME_SIGNALED), 1);
        assert_int_equal(results(t, "fork", OUTCOME_TIME_LIMIT), 1);
        assert_int_equal(results(t, "fork", OUTCOME_CANCELLED), 1);
        assert_int_equal(results(t, "fork", OUTCOME_COMPILE_ERROR), 0);
        assert_int_equal(results(t, "comp", OUTCOME_COMPILE_ERROR), 1);
        for (int i = 0; i < REFUSAL_CODES; i++)
                assert_int_equal(refusals(t, (enum refusal_code)i), 0);
}

/* An abandoned execution has no result, since no client would get it. */
static void what_was_abandoned_is_no_result_and_no_refusal(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &plain);
        world_abandon(t->f);
        end(t, SIGKILL);
        for (int i = 0; i <= OUTCOME_CANCELLED; i++)
                assert_int_equal(results(t, "fork", (enum outcome_status)i), 0);
        for (int i = 0; i < REFUSAL_CODES; i++)
                assert_int_equal(refusals(t, (enum refusal_code)i), 0);
}

/* ---------------------------------------------------------------- refusals */

static void a_refusal_at_once_is_counted(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &(struct front_wish){ .language = "none" });
        assert_int_equal(refusals(t, REFUSAL_NOT_FOUND), 1);
        scene_submit(t, &(struct front_wish){ .language = "fork", .memory_bytes = 1 });
        assert_int_equal(refusals(t, REFUSAL_INVALID_ARGUMENT), 1);
        core_drain(t->w.core);
        scene_submit(t, &plain);
        assert_int_equal(refusals(t, REFUSAL_UNAVAILABLE), 1);
        core_refused(t->w.core, REFUSAL_UNAVAILABLE); /* a refusal by a front, which the core only counts */
        assert_int_equal(refusals(t, REFUSAL_UNAVAILABLE), 2);
        t->w.refused[REFUSAL_UNAVAILABLE]++;
}

static void a_later_refusal_is_counted(void **state)
{
        static const struct job_failure failure = { .step = JOB_STEP_FILE, .error = EINVAL, .name = "a" };
        struct scene *t = *state;
        struct front_wish wish = { .language = "comp", .deadline_us = SECOND };
        struct front *first;

        scene_submit(t, &plain);
        fake_tell_failure(t->s, &failure);
        end(t, 1 << 8);
        assert_int_equal(refusals(t, REFUSAL_INVALID_ARGUMENT), 1);
        scene_submit(t, &plain);
        fake_die(t->z);
        assert_int_equal(refusals(t, REFUSAL_UNAVAILABLE), 1);

        scene_submit(t, &wish); /* it runs, so requests that come later wait */
        first = t->f;
        world_submit(&t->w, &wish);
        world_advance(SECOND / 2);
        execution_cancel(world_submit(&t->w, &wish)->execution);
        assert_int_equal(refusals(t, REFUSAL_CANCELLED), 1);
        world_advance(SECOND);
        assert_int_equal(refusals(t, REFUSAL_DEADLINE_EXCEEDED), 1);
        execution_cancel(first->execution);
        world_settle(&t->w);
}

/* In a full queue one request is pushed out and another one finds no room. Each refusal counts once. */
static void a_full_queue_is_counted(void **state)
{
        struct scene *t = *state;
        const struct front_wish wish = { .language = "comp" };

        for (unsigned i = 0; i < 21; i++)
                world_submit(&t->w, &wish); /* one runs, and twenty wait */
        assert_int_equal(refusals(t, REFUSAL_RESOURCE_EXHAUSTED), 0);
        world_submit(&t->w, &wish);
        assert_int_equal(refusals(t, REFUSAL_RESOURCE_EXHAUSTED), 1);
        world_submit(&t->w, &(struct front_wish){ .language = "comp", .peer = 1 });
        assert_int_equal(refusals(t, REFUSAL_RESOURCE_EXHAUSTED), 2);
        core_drain(t->w.core);
        core_shut_down(t->w.core);
        world_settle(&t->w);
        assert_int_equal(refusals(t, REFUSAL_UNAVAILABLE), 21);
}

/* ---------------------------------------------------------------- the cache */

static void with_cache(struct scene *t, void (*test)(struct scene *t))
{
        char path[] = "/tmp/hatchery-counts-XXXXXX";
        struct cache *cache;
        struct err e = { 0 };

        assert_non_null(mkdtemp(path));
        int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(cache_new(&cache, directory, 1 << 20, &e), 0);
        t->w.core->cache = cache;
        test(t);
        t->w.core->cache = NULL;
        cache_bound(cache, 0);
        cache_free(cache);
        close(directory);
        rmdir(path);
}

static void assert_cache(struct scene *t, const char *language, uint64_t hits, uint64_t misses)
{
        struct language_facts l;

        facts_of(t, language, &l);
        assert_int_equal(l.cache_hits, hits);
        assert_int_equal(l.cache_misses, misses);
}

/* Makes a run. Each of its sandboxes ends with this wait status. */
static void run(struct scene *t, const char *language, int wait_status)
{
        scene_submit(t, &(struct front_wish){ .language = language });
        for (int i = 0; t->f->execution && i < 8; i++) {
                if (t->s && fake_has_job(t->s))
                        fake_read_job(t->s);
                end(t, wait_status);
                scene_find(t);
        }
        assert_int_equal(t->f->finished, 1);
}

static void compile(struct scene *t)
{
        run(t, "comp", 1 << 8); /* the compiler fails, and the cache keeps no failures */
        assert_cache(t, "comp", 0, 1);
        run(t, "comp", 0);
        assert_cache(t, "comp", 0, 2);
        run(t, "comp", 0);
        run(t, "comp", 0);
        assert_cache(t, "comp", 2, 2);
        t->w.core->cache = NULL;
        run(t, "comp", 0);
        assert_cache(t, "comp", 2, 3);
}

static void compile_stages_are_hits_or_misses(void **state)
{
        with_cache(*state, compile);
}

/* The sandbox fails before it has the job, and another one begins the same stage. */
static void compile_again(struct scene *t)
{
        scene_submit(t, &(struct front_wish){ .language = "comp", .code = 4 << 20 });
        fake_exit(t->z, t->number, 9, false);
        world_settle(&t->w);
        scene_find(t);
        for (int i = 0; i < 100 && !feed_is_done(&t->f->execution->run.job); i++) {
                fake_read_job(t->s);
                world_turn(&t->w);
        }
        assert_cache(t, "comp", 0, 0); /* a stage is counted only when it ends */
        end(t, 0);
        assert_cache(t, "comp", 0, 1);
        execution_cancel(t->f->execution);
        world_settle(&t->w);
        assert_cache(t, "comp", 0, 1);
}

static void a_stage_that_is_begun_twice_is_counted_once(void **state)
{
        with_cache(*state, compile_again);
}

/* Programs that are translated in their own run have a compile stage when they come again. */
static void translate(struct scene *t)
{
        run(t, "pre", 0);
        assert_cache(t, "pre", 0, 0);
        run(t, "pre", 0);
        assert_cache(t, "pre", 0, 1);
        run(t, "pre", 0);
        assert_cache(t, "pre", 1, 1);
        run(t, "fork", 0);
        assert_cache(t, "fork", 0, 0);
}

/* The language refuses the program in the run itself. */
static void refuse_to_translate(struct scene *t)
{
        static const struct job_failure told[2] = { { .step = JOB_STEP_TRANSLATE }, { .step = JOB_STEP_REFUSED } };

        scene_submit(t, &plain);
        assert_int_equal(send(t->s->job, told, sizeof told, MSG_NOSIGNAL), sizeof told);
        end(t, 1 << 8);
        assert_int_equal(t->f->status, OUTCOME_COMPILE_ERROR);
        assert_cache(t, "fork", 0, 0);
}

static void what_has_no_compile_stage_is_neither(void **state)
{
        with_cache(*state, translate);
        with_cache(*state, refuse_to_translate);
}

/* ---------------------------------------------------------------- limits */

static void the_limits_are_those_of_the_run(void **state)
{
        struct scene *t = *state;
        const struct config_language *config = config_find_language(&t->w.config, "comp");
        struct language_facts l;

        facts_of(t, "comp", &l);
        for (int i = 0; i < LIMIT_COUNT; i++) {
                assert_int_equal(l.standard[i], config->standard[i]);
                assert_int_equal(l.ceiling[i], config->ceiling[i]);
        }
        assert_true(l.standard[LIMIT_WALL] < l.ceiling[LIMIT_WALL]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(each_end_is_counted_by_its_status),
                TEST(what_was_abandoned_is_no_result_and_no_refusal),
                TEST(a_refusal_at_once_is_counted),
                TEST(a_later_refusal_is_counted),
                TEST(a_full_queue_is_counted),
                TEST(compile_stages_are_hits_or_misses),
                TEST(a_stage_that_is_begun_twice_is_counted_once),
                TEST(what_has_no_compile_stage_is_neither),
                TEST(the_limits_are_those_of_the_run),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
