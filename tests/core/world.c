/* Fronts, and the world as a whole: see world.h. */
#include "tests/core/world.h"

#include "pool/base/loop.h"
#include "pool/core/execution.h"
#include "pool/core/outcome.h"
#include "pool/sched/language.h"
#include "proto/base/clock.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char world_config[] =
        "runtime comp {\n"
        "  kind = compiled  main_file = main.c  version = { cc }\n"
        "  compile = { cc, main.c }  artifacts = { main }  run = { ./main }\n"
        "}\n"
        "runtime pre {\n"
        "  kind = prestarted  main_file = main.p  version = { p }  warm = { p }  artifacts = { main }\n"
        "}\n"
        "language fork { warm_min = 2 warm_max = 4 running = 4 }\n"
        "language comp { warm_min = 1 warm_max = 3 running = 3 }\n"
        "language pre { warm_min = 1 warm_max = 2 running = 2 }\n"
        "max_queue = 20\n";

/* ---------------------------------------------------------------- what a sink is told */

static void assert_open(const struct front *f)
{
        assert_true(f->used && !f->abandoned);
        assert_int_equal(f->finished + f->refused, 0);
}

static void do_deed(struct front *f)
{
        if (!f->deed)
                return;
        f->depth++;
        if (f->depth > f->deepest)
                f->deepest = f->depth;
        f->deed(f);
        f->depth--;
}

static void do_at_end(struct front *f)
{
        f->execution = NULL;
        f->depth++;
        if (f->at_end)
                f->at_end(f);
        f->depth--;
}

/* Checks the first and the last byte of the program's output. A compiler's output before it is not checked. */
static void assert_bytes(const struct front *f, unsigned stream, struct span bytes, uint64_t offset)
{
        const uint8_t *data = bytes.data;

        if (bytes.len == 0 || offset < f->said[stream])
                return;
        assert_int_equal(data[0], world_byte(offset - f->said[stream]));
        assert_int_equal(data[bytes.len - 1], world_byte(offset - f->said[stream] + bytes.len - 1));
}

static size_t on_output(struct sink *s, enum stream stream, struct span bytes, uint64_t offset, int64_t at_us)
{
        struct front *f = (struct front *)s;

        assert_open(f);
        assert_false(f->full);
        assert_true(bytes.len > 0);
        assert_int_equal(offset, f->told[stream]);
        assert_true(at_us >= f->told_us && at_us > 0);
        assert_int_equal(at_us, clock_us());
        f->told_us = at_us;
        assert_bytes(f, stream, bytes, offset);
        size_t taken = f->bounded && f->credit < bytes.len ? f->credit : bytes.len;
        f->credit -= f->bounded ? taken : 0;
        f->told[stream] += taken;
        do_deed(f);
        f->full = taken < bytes.len;
        return f->greedy ? bytes.len + 1 : taken;
}

static void on_input_wanted(struct sink *s)
{
        struct front *f = (struct front *)s;
        assert_open(f);
        f->wanted++;
        do_deed(f);
}

static void on_stage(struct sink *s, enum stage stage, int64_t at_us)
{
        struct front *f = (struct front *)s;
        assert_open(f);
        assert_true(stage == STAGE_COMPILE || stage == STAGE_RUN);
        assert_true(at_us > 0);
        if (f->stages < sizeof f->stage / sizeof f->stage[0])
                f->stage[f->stages] = stage;
        f->stages++;
        do_deed(f);
}

static void on_finished(struct sink *s, const struct outcome *o)
{
        struct front *f = (struct front *)s;

        assert_open(f);
        f->finished++;
        f->world->finished++;
        f->status = o->end.status;
        f->total[STREAM_STDOUT] = o->output.out_total;
        f->total[STREAM_STDERR] = o->output.err_total;
        f->outcome = *o;
        if (!o->has_compile) { /* else the compiler's output may come first */
                assert_bytes(f, 0, o->output.out, 0);
                assert_bytes(f, 1, o->output.err, 0);
        }
        if (f->streams && o->end.status != OUTCOME_COMPILE_ERROR) {
                assert_int_equal(o->output.out.len + o->output.err.len, 0);
                assert_true(f->told[0] <= f->total[0] && f->told[1] <= f->total[1]);
                const int64_t deadline_us = f->execution->deadline_us;
                if (!f->loses && (deadline_us == 0 || deadline_us > clock_us())) {
                        assert_true(o->output.out_truncated || f->told[0] == f->total[0]);
                        assert_true(o->output.err_truncated || f->told[1] == f->total[1]);
                }
        }
        do_at_end(f);
}

static void on_refused(struct sink *s, const struct refusal *r)
{
        struct front *f = (struct front *)s;

        assert_open(f);
        assert_true(r->text[0] != '\0');
        f->refused++;
        f->world->refused[r->code]++;
        f->refusal = *r;
        do_at_end(f);
}

static const struct sink_ops captured = {
        .input_wanted = on_input_wanted,
        .stage = on_stage,
        .finished = on_finished,
        .refused = on_refused,
};

static const struct sink_ops streamed = {
        .output = on_output,
        .input_wanted = on_input_wanted,
        .stage = on_stage,
        .finished = on_finished,
        .refused = on_refused,
};

/* ---------------------------------------------------------------- submissions */

/* A front is also in use during a call that belongs to it. */
static struct front *free_front(struct world *w)
{
        for (unsigned i = 0; i < WORLD_FRONTS; i++)
                if (!w->front[i].execution && w->front[i].depth == 0)
                        return &w->front[i];
        return NULL;
}

struct front *world_next_front(struct world *w)
{
        struct front *f = free_front(w);

        if (f)
                *f = (struct front){ 0 };
        return f;
}

static struct front *take_front(struct world *w)
{
        struct front *f = free_front(w);

        if (f && f->used)
                *f = (struct front){ 0 };
        if (f)
                *f = (struct front){ .world = w, .deed = f->deed, .at_end = f->at_end };
        return f;
}

static void free_submission(struct submission *s)
{
        free(s->globs);
        free(s->files);
}

static void set_limit(struct submission *s, enum limit limit, int64_t value)
{
        s->has_limit[limit] = value > 0;
        s->limit[limit] = value;
        if (limit == LIMIT_WALL || limit == LIMIT_CPU) { /* the compile step has limits of its own */
                s->has_compile_limit[limit] = s->has_limit[limit];
                s->compile_limit[limit] = value;
        }
}

struct front *world_submit(struct world *w, const struct front_wish *wish)
{
        static const uint8_t input[1 << 18];
        const size_t code = wish->code ? wish->code : 10;
        struct front *f = take_front(w);
        struct caller caller = { .len = 2, .bytes = { 'p', (uint8_t)wish->peer } };

        if (!f)
                return NULL;
        struct payload payload = { .buffer = calloc(1, code), .len = code };
        struct submission s = {
                .language = span_of_text(wish->language),
                .has_code = true,
                .code = { payload.buffer, payload.buffer ? code : 0 },
                .standard_input = { input, wish->input },
                .live_input = wish->live_input,
                .stream = wish->streams,
                .has_terminal = wish->terminal,
                .terminal = { 24, 80 },
                .truncate_output = wish->truncates,
                .collect_changed_only = wish->changed_only,
                .has_collect = wish->collects,
                .deadline_us = (uint64_t)wish->deadline_us,
                .priority = wish->priority,
        };
        if (wish->collects)
                s.globs = calloc(1, sizeof *s.globs);
        if (s.globs) {
                s.globs[0] = span_of_text("*");
                s.n_globs = 1;
        }
        struct refusal refusal = { 0 };

        set_limit(&s, LIMIT_MEMORY, wish->memory_bytes);
        set_limit(&s, LIMIT_OUTPUT, wish->output_bytes);
        set_limit(&s, LIMIT_WALL, wish->wall_us);
        set_limit(&s, LIMIT_CPU, wish->cpu_us);
        f->used = true;
        f->streams = wish->streams;
        f->depth = 1; /* so that free_front does not return this front during the call */
        f->sink.ops = wish->streams ? &streamed : &captured;
        if (core_execute(w->core, &caller, &s, &payload, &f->sink, &f->execution, &refusal) == REFUSED) {
                assert_int_equal(f->finished + f->refused, 0);
                assert_true(refusal.text[0] != '\0');
                f->refusal = refusal;
                f->refused = 1;
                w->refused[refusal.code]++;
                f->execution = NULL;
        }
        f->depth--;
        free_submission(&s);
        free(payload.buffer);
        return f;
}

void world_abandon(struct front *f)
{
        struct execution *x = f->execution;
        f->execution = NULL;
        f->abandoned = true;
        execution_abandon(x);
}

static void resume(struct front *f)
{
        f->full = false;
        if (f->execution)
                execution_resume(f->execution);
}

void world_give(struct front *f, size_t credit)
{
        f->credit = (f->bounded ? f->credit : 0) + credit;
        f->bounded = true;
        resume(f);
}

void world_give_all(struct front *f)
{
        f->bounded = false;
        resume(f);
}

struct fake_slot *world_sandbox_of(struct world *w, const struct front *f, struct fake_zygote **z, unsigned *number)
{
        for (unsigned i = 0; f->execution && i < WORLD_ZYGOTES; i++) {
                struct channel_end *end = w->zygote[i].end;
                if (!end)
                        continue;
                const struct zygote *theirs = end->owner;
                for (unsigned k = 0; k < WORLD_SLOTS; k++) {
                        if (theirs->slots.slot[k].holder != &((struct execution *)f->execution)->run.holder)
                                continue;
                        *z = &w->zygote[i];
                        *number = k;
                        return &w->zygote[i].slot[k];
                }
        }
        return NULL;
}

/* ---------------------------------------------------------------- the process around the core */

static int on_renew(void *owner, const char *language)
{
        struct world *w = owner;
        assert_true(w->n_asked < WORLD_ZYGOTES);
        snprintf(w->asked[w->n_asked++], sizeof w->asked[0], "%s", language);
        return 0;
}

static void on_serves(void *owner, const char *language, uint32_t generation)
{
        (void)owner;
        (void)language;
        (void)generation;
}

static void on_ready(void *owner)
{
        struct world *w = owner;
        w->ready++;
}

static void on_progress(void *owner)
{
        struct world *w = owner;
        w->progress++;
}

static unsigned count_descriptors(void)
{
        DIR *d = opendir("/proc/self/fd");
        unsigned n = 0;

        assert_non_null(d);
        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

void world_make(struct world *w)
{
        static const struct core_ops ops = {
                .renew = on_renew,
                .serves = on_serves,
                .kill = on_serves,
                .ready = on_ready,
                .progress = on_progress,
        };
        struct err e = { 0 };

        memset(w, 0, sizeof *w);
        w->descriptors = count_descriptors();
        signal(SIGPIPE, SIG_IGN); /* as in the pool */
        assert_int_equal(loop_new(&w->base, &e), 0);
        w->log = (struct log){ .who = "test", .fd = open("/dev/null", O_WRONLY | O_CLOEXEC) };
        if (config_load(&w->config, world_config, "test", &e) < 0)
                fail_msg("%s", e.text);
        w->memory.max = w->config.max_memory;
        for (unsigned i = 0; i < WORLD_ZYGOTES; i++)
                w->zygote[i].world = w;
        const struct core_options options = {
                .base = w->base,
                .log = &w->log,
                .config = &w->config,
                .memory = &w->memory,
                .cores = 2,
                .instance = "test",
                .ops = &ops,
                .owner = w,
        };
        if (core_new(&w->core, &options, &e) < 0)
                fail_msg("%s", e.text);
        fake_adopt(w, "fork");
        fake_adopt(w, "comp");
        fake_adopt(w, "pre");
}

void world_end(struct world *w)
{
        core_free(w->core);
        assert_int_equal(w->memory.used, 0);
        config_fini(&w->config);
        event_base_free(w->base);
        close(w->log.fd);
        assert_int_equal(count_descriptors(), w->descriptors);
}

void world_turn(struct world *w)
{
        for (int i = 0; i < 8 && event_base_loop(w->base, EVLOOP_NONBLOCK | EVLOOP_ONCE) == 0; i++)
                ;
}

void world_bring_zygotes(struct world *w)
{
        while (w->n_asked > 0) {
                char language[32];
                snprintf(language, sizeof language, "%s", w->asked[--w->n_asked]);
                fake_adopt(w, language);
        }
        for (unsigned i = 0; i < WORLD_ZYGOTES; i++)
                if (w->zygote[i].end && !w->zygote[i].greeted)
                        fake_greet(&w->zygote[i]);
}

static bool answer_one(struct world *w)
{
        for (unsigned i = 0; i < WORLD_ZYGOTES; i++)
                if (w->zygote[i].end && w->zygote[i].n_pending > 0) {
                        fake_answer(&w->zygote[i], 0);
                        return true;
                }
        return false;
}

void world_settle(struct world *w)
{
        do
                world_turn(w);
        while (answer_one(w));
}

/* ---------------------------------------------------------------- the end of all */

static void assert_told(const struct front *f)
{
        if (f->used && !f->abandoned)
                assert_int_equal(f->finished + f->refused, 1);
        if (f->abandoned)
                assert_int_equal(f->finished + f->refused, 0);
}

/* No slot is lost: each is free, or has a sandbox that waits. */
static void assert_slots(const struct zygote *z)
{
        for (unsigned i = 0; i < CHANNEL_MAX_SLOTS; i++) {
                const struct slot *slot = &z->slots.slot[i];
                assert_true(slot->state == SLOT_EMPTY || slot->state == SLOT_WARM);
                assert_true(!slot->holder && !slot->busy && !slot->limiting && !slot->owed);
                assert_int_equal(slot->fd[WARM_STDOUT] >= 0, slot->state == SLOT_WARM);
        }
}

/* No event and no timer of an execution may be left. Only the timers of zygotes may be set. (The fake channels of
 * zygotes have no events.) */
static void assert_no_events(const struct world *w)
{
        const struct timer *theirs[WORLD_ZYGOTES];
        unsigned n = 0;

        for (unsigned i = 0; i < WORLD_ZYGOTES; i++) {
                if (!w->zygote[i].end)
                        continue;
                const struct zygote *z = w->zygote[i].end->owner;
                assert_slots(z);
                theirs[n++] = &z->backoff;
        }
        world_assert_no_timer_but(theirs, n);
        assert_int_equal(event_base_get_num_events(w->base, EVENT_BASE_COUNT_ADDED), 0);
}

/* Each end is counted once. The counters of a removed language are gone, so the sum may be smaller after a reload. */
static void assert_counts(const struct world *w, const struct core_facts *facts)
{
        uint64_t results = 0;

        for (unsigned i = 0; i < REFUSAL_CODES; i++)
                assert_int_equal(facts->refusals[i], w->refused[i]);
        for (size_t i = 0; i < facts->n_languages; i++)
                for (unsigned k = 0; k < STATS_STATUSES; k++)
                        results += w->core->sched.languages[i]->stats.results[k];
        if (w->reloads == 0)
                assert_int_equal(results, w->finished);
        else
                assert_true(results <= w->finished);
}

void world_assert_clean(struct world *w)
{
        struct core_facts facts;

        for (unsigned i = 0; i < WORLD_FRONTS; i++)
                assert_told(&w->front[i]);
        core_facts(w->core, &facts);
        assert_no_events(w);
        assert_counts(w, &facts);
        assert_int_equal(core_running(w->core), 0);
        assert_int_equal(facts.queued, 0);
        assert_int_equal(w->memory.used, 0);
        assert_int_equal(w->core->sched.queue.bytes, 0);
        for (size_t i = 0; i < w->core->sched.n_languages; i++) {
                struct language *l = w->core->sched.languages[i];
                assert_int_equal(l->n_executions, 0);
                assert_int_equal(l->lane.count, 0);
                assert_int_equal(language_busy(l), 0);
        }
}
