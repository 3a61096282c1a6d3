/* Every state of an execution, with every event that can end the execution in that state. The sink is told the end
 * exactly once, or never if the execution was abandoned. The slot is free again, and no counter counts the execution
 * any more. The same is tested with a failure of each single allocation. */
#include "pool/core/execution.h"
#include "tests/core/world.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

enum { SECOND = 1000000, OUTPUT = 100000 };

/* ---------------------------------------------------------------- states */

enum place {
        EARLY,      /* no zygote of its language has said hello */
        WAITING,    /* it waits for a sandbox */
        LIMITING,   /* its sandbox gets other limits */
        CLEARING,   /* its sandbox has no terminal, and is being killed */
        MAKING,     /* another sandbox is being made in its slot */
        TERMINAL,   /* its program runs on a terminal */
        HALF_FED,   /* its sandbox has a part of the job */
        RUNNING,    /* its output is captured */
        STREAMING,  /* its output is streamed, and its input is live */
        BLOCKED,    /* the same, and the sink is full */
        ENDING,     /* its program has ended, but its pipes are not at their end */
        COLLECTING, /* its files are coming */
        COMPILING,
        ARTIFACTS,   /* the compiler's files are coming */
        SECOND_WAIT, /* compiled, and waits for its second sandbox */
        DELIVERING,  /* its run is over, and the sink is full */
        STATES,
};

static const char *const state_name[STATES] = {
        "early",     "waiting", "limiting", "clearing",   "making",    "terminal",  "half fed",    "running",
        "streaming", "blocked", "ending",   "collecting", "compiling", "artifacts", "second wait", "delivering",
};

struct scene {
        struct world w;
        struct front *f;
};

static void answer_all(struct world *w)
{
        world_turn(w);
        world_settle(w);
}

static struct fake_slot *sandbox(struct scene *s, struct fake_zygote **z, unsigned *number)
{
        return world_sandbox_of(&s->w, s->f, z, number);
}

static void exit_well(struct scene *s)
{
        struct fake_zygote *z;
        unsigned number;

        for (int i = 0; i < 60 && sandbox(s, &z, &number); i++) { /* a job may be larger than its socket's buffer */
                fake_read_job(&z->slot[number]);
                world_turn(&s->w);
        }
        if (sandbox(s, &z, &number) && z->slot[number].state == FAKE_WARM)
                fake_exit(z, number, 0, false);
        world_turn(&s->w);
}

static void write_much(struct scene *s, unsigned times)
{
        struct fake_zygote *z;
        unsigned number;

        for (unsigned i = 0; i < times; i++) {
                struct fake_slot *sb = sandbox(s, &z, &number);
                if (sb)
                        fake_write(sb, false, 60000);
                world_turn(&s->w);
        }
}

static struct front_wish wish_for(enum place state, int64_t deadline_us)
{
        const bool on_terminal = state == CLEARING || state == MAKING || state == TERMINAL;

        return (struct front_wish){
                .language = state == COMPILING || state == ARTIFACTS || state == SECOND_WAIT ? "comp" : "fork",
                .terminal = on_terminal,
                .streams = on_terminal || state == STREAMING || state == BLOCKED || state == DELIVERING,
                .live_input = on_terminal || state == STREAMING,
                .collects = state == COLLECTING,
                .memory_bytes = state == LIMITING ? 64 << 20 : 0,
                .output_bytes = OUTPUT,
                .wall_us = 5 * SECOND,
                .cpu_us = 2 * SECOND,
                .code = state == HALF_FED ? 4 << 20 : 0,
                .deadline_us = deadline_us,
                .input = 10,
        };
}

/* Answers the pending order of this kind for the run's slot. */
static void answer(struct scene *s, enum order_kind kind)
{
        struct fake_zygote *z;
        unsigned number;

        for (unsigned i = 0; sandbox(s, &z, &number) && i < z->n_pending; i++)
                if (z->pending[i].order.kind == kind && z->pending[i].order.slot == number) {
                        fake_answer(z, i);
                        return;
                }
}

/* Brings a submitted execution into this state. */
static void go_on(struct scene *s, enum place state)
{
        struct fake_zygote *z;
        unsigned number;

        switch (state) {
        case BLOCKED:
                s->f->bounded = true;
                s->f->credit = 30000;
                write_much(s, 1);
                break;
        case MAKING:
                answer(s, ORDER_KILL);
                break;
        case TERMINAL:
                answer(s, ORDER_KILL);
                answer(s, ORDER_MAKE);
                break;
        case ENDING:
                if (sandbox(s, &z, &number))
                        fake_exit_with_open_pipes(z, number);
                break;
        case COLLECTING:
        case ARTIFACTS:
                exit_well(s);
                break;
        case SECOND_WAIT:
                exit_well(s);
                if (s->f->execution && sandbox(s, &z, &number) && z->n_pending > 0)
                        fake_answer(z, z->n_pending - 1); /* the order to collect, not that for a new sandbox */
                break;
        case DELIVERING:
                s->f->bounded = true;
                s->f->credit = 30000;
                write_much(s, 1);
                if (sandbox(s, &z, &number))
                        fake_write(&z->slot[number], true, 10);
                exit_well(s);
                break;
        default:
                break;
        }
        world_turn(&s->w);
}

/* Makes a world with one execution in this state. Returns false if the execution has already ended. */
static bool reach(struct scene *s, enum place state, int64_t deadline_us)
{
        const struct front_wish wish = wish_for(state, deadline_us);

        world_make(&s->w);
        if (state != EARLY) {
                world_bring_zygotes(&s->w);
                if (state != WAITING)
                        answer_all(&s->w);
        }
        s->f = world_submit(&s->w, &wish);
        world_turn(&s->w);
        if (s->f->execution)
                go_on(s, state);
        return s->f->execution != NULL;
}

static void assert_state(const struct scene *s, enum place state)
{
        static const enum execution_state want[STATES] = {
                [EARLY] = EXECUTION_WAITING,         [WAITING] = EXECUTION_WAITING,   [LIMITING] = EXECUTION_RUNNING,
                [CLEARING] = EXECUTION_RUNNING,      [MAKING] = EXECUTION_RUNNING,    [TERMINAL] = EXECUTION_RUNNING,

                [HALF_FED] = EXECUTION_RUNNING,      [RUNNING] = EXECUTION_RUNNING,   [STREAMING] = EXECUTION_RUNNING,
                [BLOCKED] = EXECUTION_RUNNING,       [ENDING] = EXECUTION_RUNNING,    [COLLECTING] = EXECUTION_RUNNING,
                [COMPILING] = EXECUTION_RUNNING,     [ARTIFACTS] = EXECUTION_RUNNING, [SECOND_WAIT] = EXECUTION_WAITING,
                [DELIVERING] = EXECUTION_DELIVERING,
        };
        static const enum run_state run[STATES] = {
                [CLEARING] = RUN_CLEARING, [MAKING] = RUN_MAKING,         [TERMINAL] = RUN_RUNNING,
                [LIMITING] = RUN_LIMITING, [HALF_FED] = RUN_RUNNING,      [RUNNING] = RUN_RUNNING,
                [STREAMING] = RUN_RUNNING, [BLOCKED] = RUN_RUNNING,       [ENDING] = RUN_ENDING,
                [COMPILING] = RUN_RUNNING, [COLLECTING] = RUN_COLLECTING, [ARTIFACTS] = RUN_COLLECTING,
        };
        const struct execution *x = s->f->execution;

        assert_int_equal(x->state, want[state]);
        assert_int_equal(x->run.state, run[state]);
        assert_int_equal(x->planned, state != EARLY);
        assert_int_equal(x->compile.done, state == SECOND_WAIT);
        if (state == HALF_FED)
                assert_false(feed_is_done(&x->run.job));
        if (state == BLOCKED || state == DELIVERING)
                assert_true(s->f->full);
}

/* ---------------------------------------------------------------- what comes */

enum happening {
        NOTHING,
        CANCEL,
        ABANDON,
        DEADLINE,
        WALL,
        CPU,
        MUCH_OUTPUT,
        DRAIN,
        SHUT_DOWN,
        RELOAD,
        ZYGOTE_DEATH,
        SLOT_FAILURE,
        SANDBOX_DEATH,
        UNPROVED_DEATH, /* processes of the sandbox may still live */
        NO_DESCRIPTORS, /* the descriptors of the next sandboxes are lost */
        NO_ANSWER,      /* the zygote answers nothing */
        BROKEN_FILES,
        NO_TIMERS,
        EVENTS,
};

static const char *const event_name[EVENTS] = {
        "nothing",       "cancel",         "abandon",        "deadline",  "wall",         "cpu",
        "output",        "drain",          "shut",           "reload",    "zygote death", "slot failure",
        "sandbox death", "unproved death", "no descriptors", "no answer", "broken files", "no timers",
};

/* Loads a configuration that has none of the languages in use. */
static void reload_without(struct world *w)
{
        struct config was = w->config;
        struct err e = { 0 };

        if (config_load(&w->config, "language other { warm = 1 running = 1 }\n", "test", &e) < 0)
                fail_msg("%s", e.text);
        w->reloads++;
        if (core_reload(w->core, &was, &w->config, &e) < 0)
                fail_msg("%s", e.text);
        config_fini(&was);
        fake_adopt(w, "other");
}

static void kill_zygotes(struct world *w)
{
        for (unsigned i = 0; i < WORLD_ZYGOTES; i++)
                if (w->zygote[i].end)
                        fake_die(&w->zygote[i]);
}

static void break_files(struct world *w)
{
        for (unsigned i = 0; i < WORLD_ZYGOTES; i++)
                for (unsigned k = 0; w->zygote[i].end && k < w->zygote[i].n_pending; k++)
                        if (w->zygote[i].pending[k].order.kind == ORDER_COLLECT)
                                fake_fail(&w->zygote[i], k);
}

static void let_happen(struct scene *s, enum happening event)
{
        struct world *w = &s->w;
        struct fake_zygote *z;
        unsigned number;

        switch (event) {
        case CANCEL:
                execution_cancel(s->f->execution);
                break;
        case ABANDON:
                world_abandon(s->f);
                break;
        case DEADLINE:
        case WALL:
                world_advance(5 * SECOND + SECOND / 10);
                break;
        case CPU:
                if (sandbox(s, &z, &number))
                        fake_use_cpu(&z->slot[number], 3600 * (int64_t)SECOND);
                world_advance(3 * SECOND);
                break;
        case MUCH_OUTPUT:
                write_much(s, 4);
                break;
        case DRAIN:
                core_drain(w->core);
                break;
        case SHUT_DOWN:
                core_drain(w->core);
                core_shut_down(w->core);
                break;
        case RELOAD:
                reload_without(w);
                break;
        case ZYGOTE_DEATH:
                kill_zygotes(w);
                break;
        case SLOT_FAILURE:
                if (sandbox(s, &z, &number))
                        fake_fail_slot(z, number);
                break;
        case SANDBOX_DEATH:
                if (sandbox(s, &z, &number) && z->slot[number].state == FAKE_WARM)
                        fake_exit(z, number, 9, false);
                break;
        case UNPROVED_DEATH:
                if (sandbox(s, &z, &number) && z->slot[number].state == FAKE_WARM)
                        fake_exit(z, number, 9, true);
                break;
        case NO_DESCRIPTORS:
                for (unsigned i = 0; i < WORLD_ZYGOTES; i++)
                        w->zygote[i].loses_descriptors = true;
                answer_all(w);
                for (unsigned i = 0; i < WORLD_ZYGOTES; i++)
                        w->zygote[i].loses_descriptors = false;
                break;
        case NO_ANSWER:
                for (int i = 0; i < 200; i++) {
                        world_advance(SECOND);
                        core_tick(w->core);
                        world_turn(w);
                }
                break;
        case BROKEN_FILES:
                break_files(w);
                break;
        case NO_TIMERS:
                world_fail_timer(WORLD_ALL);
                answer_all(w);
                world_fail_timer(0);
                break;
        case NOTHING:
        case EVENTS:
                break;
        }
        world_turn(w);
}

static void finish(struct scene *s)
{
        struct world *w = &s->w;

        for (unsigned i = 0; i < 80 && (core_running(w->core) > 0 || i < 3); i++) {
                world_bring_zygotes(w);
                answer_all(w);
                exit_well(s);
                answer_all(w);
                world_give_all(s->f);
                world_advance(SECOND);
                core_tick(w->core);
        }
        answer_all(w);
        world_assert_clean(w);
        world_end(w);
}

/* ---------------------------------------------------------------- what is told */

struct expected {
        enum place state;
        enum happening event;
        bool refused;
        int what; /* a refusal's code or an outcome's status */
};

static const struct expected table[] = {
        { LIMITING, NO_TIMERS, true, REFUSAL_INTERNAL }, /* a run whose limits can't be watched is ended */
        { EARLY, CANCEL, true, REFUSAL_CANCELLED },
        { EARLY, DEADLINE, true, REFUSAL_DEADLINE_EXCEEDED },
        { EARLY, SHUT_DOWN, true, REFUSAL_UNAVAILABLE },
        { EARLY, RELOAD, true, REFUSAL_NOT_FOUND },
        { WAITING, CANCEL, true, REFUSAL_CANCELLED },
        { WAITING, DEADLINE, true, REFUSAL_DEADLINE_EXCEEDED },
        { WAITING, SHUT_DOWN, true, REFUSAL_UNAVAILABLE },
        { WAITING, RELOAD, true, REFUSAL_NOT_FOUND },
        { WAITING, ZYGOTE_DEATH, false, OUTCOME_EXITED },
        { LIMITING, CANCEL, true, REFUSAL_CANCELLED },
        { LIMITING, DEADLINE, true, REFUSAL_DEADLINE_EXCEEDED },
        { LIMITING, SANDBOX_DEATH, false, OUTCOME_EXITED },
        { LIMITING, SLOT_FAILURE, false, OUTCOME_EXITED },
        { LIMITING, ZYGOTE_DEATH, true, REFUSAL_UNAVAILABLE },
        { CLEARING, NOTHING, false, OUTCOME_EXITED },
        { CLEARING, CANCEL, true, REFUSAL_CANCELLED },
        { CLEARING, DEADLINE, true, REFUSAL_DEADLINE_EXCEEDED },
        { CLEARING, SANDBOX_DEATH, false, OUTCOME_EXITED },
        { CLEARING, UNPROVED_DEATH, false, OUTCOME_EXITED },
        { CLEARING, SLOT_FAILURE, false, OUTCOME_EXITED },
        { CLEARING, SHUT_DOWN, true, REFUSAL_UNAVAILABLE },
        { CLEARING, DRAIN, false, OUTCOME_EXITED },
        { CLEARING, RELOAD, false, OUTCOME_EXITED },
        { CLEARING, ZYGOTE_DEATH, true, REFUSAL_UNAVAILABLE },
        { CLEARING, NO_DESCRIPTORS, true, REFUSAL_INTERNAL },
        { MAKING, NOTHING, false, OUTCOME_EXITED },
        { MAKING, CANCEL, true, REFUSAL_CANCELLED },
        { MAKING, DEADLINE, true, REFUSAL_DEADLINE_EXCEEDED },
        { MAKING, SLOT_FAILURE, false, OUTCOME_EXITED },
        { MAKING, SHUT_DOWN, true, REFUSAL_UNAVAILABLE },
        { MAKING, DRAIN, false, OUTCOME_EXITED },
        { MAKING, RELOAD, false, OUTCOME_EXITED },
        { MAKING, ZYGOTE_DEATH, true, REFUSAL_UNAVAILABLE },
        { MAKING, NO_DESCRIPTORS, true, REFUSAL_INTERNAL },
        { TERMINAL, NOTHING, false, OUTCOME_EXITED },
        { TERMINAL, CANCEL, false, OUTCOME_CANCELLED },
        { TERMINAL, WALL, false, OUTCOME_TIME_LIMIT },
        { TERMINAL, CPU, false, OUTCOME_CPU_LIMIT },
        { TERMINAL, MUCH_OUTPUT, false, OUTCOME_EXITED },
        { TERMINAL, SANDBOX_DEATH, false, OUTCOME_SIGNALED },
        { HALF_FED, SANDBOX_DEATH, false, OUTCOME_EXITED },
        { HALF_FED, CANCEL, false, OUTCOME_CANCELLED },
        { RUNNING, NOTHING, false, OUTCOME_EXITED },
        { RUNNING, CANCEL, false, OUTCOME_CANCELLED },
        { RUNNING, DEADLINE, false, OUTCOME_TIME_LIMIT },
        { RUNNING, WALL, false, OUTCOME_TIME_LIMIT },
        { RUNNING, CPU, false, OUTCOME_CPU_LIMIT },
        { RUNNING, MUCH_OUTPUT, false, OUTCOME_OUTPUT_LIMIT },
        { RUNNING, DRAIN, false, OUTCOME_EXITED },
        { RUNNING, SHUT_DOWN, true, REFUSAL_UNAVAILABLE },
        { RUNNING, RELOAD, false, OUTCOME_EXITED },
        { RUNNING, ZYGOTE_DEATH, true, REFUSAL_UNAVAILABLE },
        { RUNNING, SLOT_FAILURE, true, REFUSAL_INTERNAL },
        { RUNNING, SANDBOX_DEATH, false, OUTCOME_SIGNALED },
        { STREAMING, MUCH_OUTPUT, false, OUTCOME_OUTPUT_LIMIT },
        { STREAMING, NOTHING, false, OUTCOME_EXITED },
        { BLOCKED, NOTHING, false, OUTCOME_EXITED },
        { BLOCKED, WALL, false, OUTCOME_TIME_LIMIT },
        { ENDING, CANCEL, false, OUTCOME_EXITED },
        { COLLECTING, CANCEL, false, OUTCOME_EXITED },
        { COLLECTING, BROKEN_FILES, false, OUTCOME_EXITED },
        { COMPILING, NOTHING, false, OUTCOME_EXITED },
        { COMPILING, CANCEL, false, OUTCOME_CANCELLED },
        { COMPILING, WALL, false, OUTCOME_COMPILE_ERROR },
        { COMPILING, SANDBOX_DEATH, false, OUTCOME_COMPILE_ERROR },
        { ARTIFACTS, CANCEL, false, OUTCOME_CANCELLED },
        { ARTIFACTS, BROKEN_FILES, true, REFUSAL_INTERNAL },
        { SECOND_WAIT, CANCEL, true, REFUSAL_CANCELLED },
        { SECOND_WAIT, DEADLINE, true, REFUSAL_DEADLINE_EXCEEDED },
        { DELIVERING, CANCEL, false, OUTCOME_EXITED },
        { DELIVERING, SHUT_DOWN, true, REFUSAL_UNAVAILABLE },
        { DELIVERING, ZYGOTE_DEATH, false, OUTCOME_EXITED },
};

static void assert_expected(const struct front *f, enum place state, enum happening event)
{
        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
                const struct expected *t = &table[i];
                if (t->state != state || t->event != event)
                        continue;
                assert_int_equal(f->refused, t->refused);
                if (t->refused)
                        assert_int_equal(f->refusal.code, t->what);
                else
                        assert_int_equal(f->status, t->what);
        }
}

static void each_state_ends_once_whatever_comes(void **test)
{
        (void)test;
        static struct scene s;

        for (enum place state = 0; state < STATES; state++)
                for (enum happening event = 0; event < EVENTS; event++) {
                        bool deadline = event == DEADLINE;
                        fprintf(stderr, "# %s: %s\n", state_name[state], event_name[event]);
                        assert_true(reach(&s, state, deadline ? 5 * SECOND : 0));
                        assert_state(&s, state);
                        let_happen(&s, event);
                        finish(&s);
                        assert_expected(s.f, state, event);
                }
}

/* ---------------------------------------------------------------- no memory */

/* Runs an execution whose n-th allocation fails. Returns false if there were fewer than n allocations. */
static bool without(enum place state, unsigned n)
{
        static struct scene s;
        const struct front_wish wish = wish_for(state, 0);

        world_make(&s.w);
        world_bring_zygotes(&s.w);
        answer_all(&s.w);
        world_fail_allocation(n);
        s.f = world_submit(&s.w, &wish);
        world_turn(&s.w);
        if (s.f->execution)
                go_on(&s, state);
        if (state == STREAMING && s.f->execution)
                (void)!execution_input(s.f->execution, span_of_text("input"), true);
        answer_all(&s.w);
        exit_well(&s);
        answer_all(&s.w);
        bool failed = world_allocations() >= n;
        world_fail_allocation(0);
        finish(&s);
        return failed;
}

static void each_allocation_may_fail(void **test)
{
        (void)test;
        static const enum place states[] = {
                LIMITING, TERMINAL, RUNNING, STREAMING, COLLECTING, ARTIFACTS, DELIVERING
        };

        for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
                unsigned n = 1;
                while (without(states[i], n))
                        n++;
                fprintf(stderr, "# %s: %u allocations\n", state_name[states[i]], n - 1);
                assert_true(n > 3);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_state_ends_once_whatever_comes),
                cmocka_unit_test(each_allocation_may_fail),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
