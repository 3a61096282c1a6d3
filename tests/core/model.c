/* The core under random fronts, zygotes and time: in any order of events, each execution ends exactly once, no slot is
 * lost, and every counter returns to zero.
 *
 * HATCHERY_TEST_SEED=N repeats one episode; HATCHERY_TEST_STEPS=N sets the number of steps. */
#include "pool/core/execution.h"
#include "tests/core/world.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
        STEPS = 1000000, /* in all episodes together */
        EPISODE = 4000,
        SECOND = 1000000,
};

static unsigned seed;

static unsigned below(unsigned n)
{
        return (unsigned)rand_r(&seed) % n;
}

static bool one_in(unsigned n)
{
        return below(n) == 0;
}

/* ---------------------------------------------------------------- fronts */

static void any_deed(struct front *f);

static void submit(struct world *w)
{
        static const char *const languages[] = { "fork", "fork", "comp", "pre", "none" };
        const struct front_wish wish = {
                .language = languages[below(5)],
                .streams = one_in(3),
                .live_input = one_in(4),
                .truncates = one_in(4),
                .collects = one_in(4),
                .changed_only = one_in(2),
                .deadline_us = one_in(4) ? 1 + (int64_t)below(3 * SECOND) : 0,
                .memory_bytes = one_in(4) ? 64 << 20 : 0,
                .peer = below(4),
                .priority = one_in(5) ? below(8) : 0,
                .input = one_in(3) ? below(1 << 18) : 0,
        };
        struct front *next = world_next_front(w);
        if (next && one_in(3))
                next->deed = next->at_end = any_deed;
        world_submit(w, &wish);
}

static struct front *some_front(struct world *w)
{
        unsigned at = below(WORLD_FRONTS);

        for (unsigned i = 0; i < WORLD_FRONTS; i++) {
                struct front *f = &w->front[(at + i) % WORLD_FRONTS];
                if (f->execution)
                        return f;
        }
        return NULL;
}

static void put_input(struct front *f)
{
        static const uint8_t bytes[100000];
        int r = execution_input(f->execution, (struct span){ bytes, below(sizeof bytes) }, one_in(6));
        (void)r; /* any refusal is allowed here */
}

static void touch(struct front *f)
{
        switch (below(9)) {
        case 0:
                execution_cancel(f->execution);
                break;
        case 1:
                world_abandon(f);
                break;
        case 2:
                put_input(f);
                break;
        case 3:
                execution_signal(f->execution, (int)below(34) - 1);
                break;
        case 4:
                f->bounded = true;
                f->credit = one_in(2) ? 0 : below(100000);
                break;
        case 5:
        case 6:
                world_give(f, one_in(3) ? below(4) : below(70000)); /* in drops, too */
                break;
        case 7:
                world_give_all(f);
                break;
        default:
                f->full = false;
                execution_resume(f->execution); /* with no more credit than it had */
                break;
        }
}

static void touch_a_front(struct world *w)
{
        struct front *f = some_front(w);

        if (f)
                touch(f);
}

/* Acts from within a call to its sink: on its own execution, if it knows that one already, or on another. */
static void any_deed(struct front *f)
{
        if (f->depth > 3 || !one_in(4))
                return;
        if (one_in(4))
                submit(f->world);
        else if (one_in(3))
                touch_a_front(f->world);
        else if (f->execution)
                touch(f);
}

/* ---------------------------------------------------------------- zygotes */

static struct fake_zygote *some_zygote(struct world *w)
{
        unsigned at = below(WORLD_ZYGOTES);

        for (unsigned i = 0; i < WORLD_ZYGOTES; i++) {
                struct fake_zygote *z = &w->zygote[(at + i) % WORLD_ZYGOTES];
                if (z->end)
                        return z;
        }
        return NULL;
}

static int some_wait_status(void)
{
        static const int statuses[] = { 0, 1 << 8, SIGKILL, SIGSEGV };
        return statuses[below(4)];
}

static const struct job_failure no_room = { .step = JOB_STEP_FILE, .error = ENOSPC, .name = "f" };

static void touch_a_sandbox(struct fake_zygote *z)
{
        unsigned at = below(WORLD_SLOTS);

        for (unsigned i = 0; i < WORLD_SLOTS; i++) {
                unsigned number = (at + i) % WORLD_SLOTS;
                struct fake_slot *s = &z->slot[number];
                if (s->state != FAKE_WARM || (!fake_has_job(s) && !one_in(200)))
                        continue;
                switch (below(6)) {
                case 0:
                case 1:
                        fake_write(s, one_in(3), 1 + below(60000));
                        return;
                case 2:
                        fake_use_cpu(s, (int64_t)below(20 * SECOND));
                        return;
                case 3:
                        if (one_in(10))
                                fake_tell_failure(s, &no_room);
                        return;
                default:
                        fake_exit(z, number, some_wait_status(), one_in(40));
                        return;
                }
        }
}

static void touch_a_zygote(struct world *w)
{
        struct fake_zygote *z = some_zygote(w);

        if (!z)
                return;
        if (!z->greeted)
                fake_greet(z);
        else if (one_in(3))
                touch_a_sandbox(z);
        else if (z->n_pending > 0 && one_in(60))
                fake_fail(z, below(z->n_pending));
        else if (z->n_pending > 0)
                fake_answer(z, below(z->n_pending));
        else if (one_in(300))
                fake_die(z);
}

/* ---------------------------------------------------------------- the configuration */

static void reload(struct world *w)
{
        static const char *const changes[] = {
                "language fork { warm_min = 1 warm_max = 2 running = 6 }\n",
                "language fork { warm_min = 2 warm_max = 4 running = 4 preload = { m } }\nmax_queue = 5\n",
        };
        struct config was = w->config, is;
        struct err e = { 0 };
        const char *text = one_in(2) ? world_config : changes[below(2)];

        if (config_load(&is, text, "test", &e) < 0)
                fail_msg("%s", e.text);
        w->config = is;
        w->reloads++;
        if (core_reload(w->core, &was, &w->config, &e) < 0)
                fail_msg("%s", e.text);
        config_fini(&was);
}

/* ---------------------------------------------------------------- episodes */

static void step(struct world *w)
{
        unsigned what = below(100);

        if (what < 14)
                submit(w);
        else if (what < 30)
                touch_a_front(w);
        else if (what < 80)
                touch_a_zygote(w);
        else if (what < 90)
                world_advance(below(one_in(8) ? 4 * SECOND : 20000));
        else if (what < 92)
                core_tick(w->core);
        else if (what < 93)
                world_bring_zygotes(w);
        else if (one_in(400))
                reload(w);
        if (one_in(2))
                world_turn(w);
}

/* Every streaming front takes all waiting output. */
static void take_all(struct world *w)
{
        for (unsigned i = 0; i < WORLD_FRONTS; i++)
                world_give_all(&w->front[i]);
}

static void end_all_sandboxes(struct world *w)
{
        for (unsigned i = 0; i < WORLD_ZYGOTES; i++)
                for (unsigned k = 0; k < WORLD_SLOTS; k++)
                        if (w->zygote[i].end && fake_has_job(&w->zygote[i].slot[k]))
                                fake_exit(&w->zygote[i], k, 0, false);
}

/* Ends the episode: either gives runs the time that they need, or ends them. */
static void drain(struct world *w)
{
        bool shuts_down = one_in(2);

        core_drain(w->core);
        for (unsigned i = 0; core_running(w->core) > 0 && i < 400; i++) {
                /* At the end in any case, as the pool does: executions that wait for a dead zygote wait in vain by now.
                 */
                if (i == (shuts_down ? 3 : 200))
                        core_shut_down(w->core);
                world_bring_zygotes(w);
                world_settle(w);
                end_all_sandboxes(w);
                world_settle(w);
                take_all(w);
                world_advance(SECOND);
                core_tick(w->core);
        }
        world_settle(w); /* a sandbox that was given up may be dead only now */
        world_assert_clean(w);
}

static void episode(unsigned with, unsigned steps)
{
        static struct world w;

        seed = with;
        world_make(&w);
        for (unsigned i = 0; i < steps; i++)
                step(&w);
        if (one_in(4)) {
                for (unsigned i = 0; i < WORLD_FRONTS; i++) /* fronts hold no execution any more */
                        w.front[i].abandoned = w.front[i].abandoned || w.front[i].execution;
        } else {
                drain(&w);
                core_close(w.core);
                world_settle(&w);
        }
        world_end(&w);
}

static void whatever_comes_each_is_told_once_and_nothing_is_left(void **state)
{
        (void)state;
        const char *one = getenv("HATCHERY_TEST_SEED"), *steps = getenv("HATCHERY_TEST_STEPS");
        unsigned long n = steps ? strtoul(steps, NULL, 10) : STEPS;
        unsigned first = one ? (unsigned)strtoul(one, NULL, 10) : (unsigned)getpid();

        for (unsigned i = 0; i * (unsigned long)EPISODE < n && !(one && i > 0); i++) {
                fprintf(stderr, "# HATCHERY_TEST_SEED=%u\n", first + i);
                episode(first + i, EPISODE);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(whatever_comes_each_is_told_once_and_nothing_is_left),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
