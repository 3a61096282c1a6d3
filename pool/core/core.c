/* The core's interface for fronts and for the process around it: see core.h. */
#include "pool/core/core.h"

#include "pool/core/admission.h"
#include "pool/core/core_parts.h"
#include "pool/core/early.h"
#include "pool/core/execution.h"
#include "pool/core/facts.h"
#include "pool/sched/language.h"

#include <errno.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- submissions */

/* A refusal within this call is the call's result, and the sink does not get it. */
static int begin(struct execution *x, struct refusal *refusal)
{
        struct language *l = x->language;

        refusal->text[0] = '\0';
        x->at_once = refusal;
        execution_enqueue(x);
        if (refusal->text[0] == '\0')
                language_kick(l);
        if (refusal->text[0] != '\0')
                return REFUSED;
        x->at_once = NULL;
        return 0;
}

static int take(struct core *c, const struct caller *caller, struct submission *submission, struct payload *payload,
                struct sink *sink, struct execution **out, struct refusal *refusal)
{
        struct language *l = sched_find(&c->sched, submission->language);
        struct execution *x = NULL;
        struct check_plan plan;
        struct err e = { 0 };

        int r = admission_now(c, l, refusal);
        if (r == 0)
                r = admission_check(c, l, submission, &plan, refusal);
        bool early = r == ADMISSION_EARLY;
        if (early && !l)
                l = sched_first_unnamed(&c->sched);
        if (r == REFUSED)
                return r;
        const struct execution_parts parts = { caller, submission, payload, sink };
        if (execution_new(&x, c, l, &parts, early ? NULL : &plan, &e) < 0)
                return refuse(refusal, REFUSAL_RESOURCE_EXHAUSTED, "%s; try again later", e.text);
        r = begin(x, refusal);
        if (r == 0) /* set only now: until here another sink's callback must not be able to end this execution */
                *out = x;
        return r;
}

int core_execute(struct core *c, const struct caller *caller, struct submission *submission, struct payload *payload,
                 struct sink *sink, struct execution **out, struct refusal *refusal)
{
        int r = take(c, caller, submission, payload, sink, out, refusal);

        if (r == REFUSED)
                core_refused(c, refusal->code);
        return r;
}

void core_refused(struct core *c, enum refusal_code code)
{
        c->refusals[code]++;
}

/* ---------------------------------------------------------------- callbacks from the scheduler */

static void on_start(void *owner, struct queue_entry *entry, struct slot *slot)
{
        (void)owner;
        execution_start(execution_of_entry(entry), slot);
}

static void on_spoken(void *owner)
{
        early_settle(owner);
}

static void refuse_what_waits_for_broken(struct core *c, struct language *l)
{
        struct refusal refusal;
        struct execution *x;
        struct walk w;

        admission_refuse_broken(l, &refusal);
        walk_begin(&w, c);
        while (!language_current(l) && (x = walk_next(&w)))
                if (x->language == l && x->planned && x->state == EXECUTION_WAITING)
                        execution_refuse(x, &refusal);
        walk_end(&w);
}

/* Executions of a leaving language would wait for ever, because no more sandboxes are made for it. */
static void refuse_what_waits_for_leaving(struct core *c, const struct language *l)
{
        struct execution *x;
        struct walk w;

        walk_begin(&w, c);
        while ((x = walk_next(&w)))
                if (x->language == l)
                        execution_language_gone(x);
        walk_end(&w);
}

static void on_lost(void *owner, struct language *l, enum sched_loss loss)
{
        struct core *c = owner;

        if (loss == SCHED_BROKEN)
                refuse_what_waits_for_broken(c, l);
        else
                refuse_what_waits_for_leaving(c, l);
}

static void on_ready(void *owner)
{
        const struct core *c = owner;
        c->ops->ready(c->owner);
}

static int on_renew(void *owner, const char *language)
{
        const struct core *c = owner;
        return c->ops->renew(c->owner, language);
}

static void on_serves(void *owner, const char *language, uint32_t generation)
{
        const struct core *c = owner;
        c->ops->serves(c->owner, language, generation);
}

static void on_kill(void *owner, const char *language, uint32_t generation)
{
        const struct core *c = owner;
        c->ops->kill(c->owner, language, generation);
}

/* ---------------------------------------------------------------- the core's life */

int core_new(struct core **out, const struct core_options *o, struct err *e)
{
        static const struct sched_ops sched_ops = {
                .start = on_start,
                .spoken = on_spoken,
                .lost = on_lost,
                .ready = on_ready,
                .renew = on_renew,
                .serves = on_serves,
                .kill = on_kill,
        };
        struct core *c = calloc(1, sizeof *c);
        if (!c)
                return err_set(e, ENOMEM, "the core");
        c->ops = o->ops;
        c->owner = o->owner;
        c->config = o->config;
        c->memory = o->memory;
        c->cache = o->cache;
        c->instance = o->instance;
        c->host.base = o->base;
        c->host.log = o->log;
        c->host.cores = o->cores;
        TAILQ_INIT(&c->executions);
        c->sched.ops = &sched_ops;
        c->sched.owner = c;
        c->sched.base = o->base;
        c->sched.log = o->log;
        c->sched.config = o->config;
        c->sched.cores = o->cores;
        int r = sched_init(&c->sched, e);
        if (r < 0) {
                free(c);
                return r;
        }
        *out = c;
        return 0;
}

static void abandon_all(struct core *c, bool waiting)
{
        struct execution *x;
        struct walk w;

        walk_begin(&w, c);
        while ((x = walk_next(&w)))
                if ((x->state == EXECUTION_WAITING) == waiting)
                        execution_abandon(x);
        walk_end(&w);
}

void core_free(struct core *c)
{
        if (!c)
                return;
        c->draining = c->sched.draining = c->sched.closing = true;
        abandon_all(c, true); /* waiting ones first, so that none is started when a slot becomes free */
        abandon_all(c, false);
        sched_fini(&c->sched); /* executions that still have a slot lose the slot, and end */
        free(c);
}

void core_adopt_zygote(struct core *c, struct span language, uint32_t generation, int sock)
{
        sched_adopt(&c->sched, language, generation, sock);
}

int core_reload(struct core *c, const struct config *was, const struct config *is, struct err *e)
{
        c->config = c->sched.config = is;
        int r = sched_reload(&c->sched, was, e);
        if (r < 0)
                c->config = c->sched.config = was;
        return r;
}

void core_leave(struct core *c)
{
        c->leaving = true;
}

void core_drain(struct core *c)
{
        c->draining = c->sched.draining = true;
}

void core_shut_down(struct core *c)
{
        struct execution *x;
        struct walk w;

        walk_begin(&w, c);
        while ((x = walk_next(&w)))
                execution_shut_down(x);
        walk_end(&w);
}

void core_close(struct core *c)
{
        sched_close(&c->sched);
}

/* Executions that came first give way first, since they have waited longest for their sinks. */
static void make_room(struct core *c)
{
        struct execution *x;
        struct walk w;

        walk_begin(&w, c);
        while (budget_is_over(c->memory) && (x = walk_next(&w)))
                execution_give_way(x);
        walk_end(&w);
}

void core_tick(struct core *c)
{
        if (budget_is_over(c->memory))
                make_room(c);
        sched_tick(&c->sched);
}

unsigned core_running(const struct core *c)
{
        return c->host.running;
}

/* ---------------------------------------------------------------- facts for fronts */

void core_facts(const struct core *c, struct core_facts *facts)
{
        *facts = (struct core_facts){
                .queued = c->sched.queue.count,
                .n_languages = c->sched.n_languages,
                .ready = !c->leaving && c->sched.was_ready && sched_is_ready(&c->sched),
                .leaving = c->leaving || c->draining,
                .draining = c->draining,
                .came_up = c->sched.was_ready,
                .refusals = c->refusals,
        };
}

static void count_zygotes(const struct language *l, struct language_facts *f)
{
        const struct zygote *current = language_current(l), *z;

        TAILQ_FOREACH(z, &l->zygotes, link)
        {
                f->warm += z->slots.count[SLOT_WARM];
                f->running += z->slots.busy;
                f->preparing += z->slots.count[SLOT_PREPARING];
                f->zygotes++;
        }
        f->generation = current ? current->generation : 0;
        f->forks = current ? current->forks : 0;
}

void core_language(const struct core *c, size_t i, struct language_facts *facts)
{
        const struct language *l = c->sched.languages[i];
        const struct config_language *config = config_find_language(c->config, l->name);

        *facts = (struct language_facts){
                .name = l->name,
                .version = l->version,
                .kind = l->kind,
                .known = l->known,
                .ready = l->ready,
                .fault = l->fault,
                .echoes = l->echoes,
                .prompts = l->prompts,
                .names_are_others = l->is_profile && config && config_find_language(c->config, config->runtime),
                .aliases = l->aliases,
                .extensions = l->extensions,
                .data = l->compile.runtime,
                .config = config,
                .preloads = l->preloads,
                .n_preloads = l->n_preloads,
                .warm_target = l->scale.target,
                .warm_min = l->scale.min,
                .warm_max = l->scale.max,
                .queued = l->lane.count,
                .runs = l->stats.runs,
                .failures = l->stats.failures,
                .discarded = l->stats.discarded,
                .sandbox_bytes = l->scale.bytes,
                .recycles = l->stats.recycles,
                .recycle_sum_us = l->stats.recycle_sum_us,
                .recycle_p50_us = stats_recycle_percentile(&l->stats, 50),
                .recycle_p99_us = stats_recycle_percentile(&l->stats, 99),
                .results = l->stats.results,
                .cache_hits = l->stats.cache_hits,
                .cache_misses = l->stats.cache_misses,
                .standard = l->standard,
                .ceiling = l->ceiling,
                .stage = l->stats.stage,
        };
        count_zygotes(l, facts);
}
