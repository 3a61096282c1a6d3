/* The zygotes of a language: they start, serve, are renewed and end. See language.h. Their reports arrive here. */
#include "pool/link/bounds.h"
#include "pool/sched/claims.h"
#include "pool/sched/language_parts.h"
#include "proto/base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
        RENEW_WAIT_MAX = 64, /* ticks between two tries to renew */
        MAX_FAILED_STARTS = 3,
};

/* ---------------------------------------------------------------- renewal */

static void ask(struct language *l)
{
        l->asked = l->sched->ops->renew(l->sched->owner, l->name) == 0;
}

static bool has_served_its_time(const struct language *l, const struct zygote *z)
{
        /* A zygote that may be due for renewal before it is warm would never serve. */
        uint64_t least = 2 * (uint64_t)l->scale.target;
        uint64_t forks = l->generation_forks > least ? l->generation_forks : least;

        return z->stale || (l->generation_forks > 0 && z->forks >= forks) ||
               (l->generation_us > 0 && clock_us() - z->born_us >= l->generation_us);
}

static void ask_if_due(struct language *l)
{
        const struct zygote *current = language_in_phase(l, ZYGOTE_CURRENT);

        if (l->asked || l->leaving || l->sched->draining || language_in_phase(l, ZYGOTE_COMING))
                return;
        if (!current ||
            (l->renew_wait == 0 && !language_in_phase(l, ZYGOTE_RETIRING) && has_served_its_time(l, current)))
                ask(l);
}

/* z replaces the zygote that served until now. */
static void promote(struct language *l, struct zygote *z)
{
        struct zygote *old = language_in_phase(l, ZYGOTE_CURRENT);
        const struct config_language *config = config_find_language(l->sched->config, l->name);

        z->phase = ZYGOTE_CURRENT;
        scale_replaced(&l->scale);
        l->renew_wait = l->renew_next = 0;
        l->sched->ops->serves(l->sched->owner, l->name, z->generation);
        if (old) {
                log_info(l->sched->log,
                         "%s: generation %" PRIu32 " serves; %" PRIu32 " retires after %" PRIu64 " sandboxes", l->name,
                         z->generation, old->generation, old->forks);
                zygote_retire(old);
        }
        if (config)
                language_set_limits(l, config);
        language_serves_well(l, z);
}

static void look_at_warm(struct language *l, struct zygote *z)
{
        if (z->phase == ZYGOTE_COMING && z->slots.count[SLOT_WARM] >= z->slots.warm)
                promote(l, z);
        else if (z->phase == ZYGOTE_CURRENT)
                language_serves_well(l, z);
}

static void say_end(const struct language *l, const struct zygote *z, const char *why)
{
        if (l->sched->closing || l->leaving || z->drained)
                log_debug(l->sched->log, "%s: generation %" PRIu32 " is gone: %s", l->name, z->generation, why);
        else
                log_warn(l->sched->log, "%s: generation %" PRIu32 " is gone: %s", l->name, z->generation, why);
}

/* The pause grows each time: a renewal that soon fails again has a lasting cause. */
static void put_renewal_off(struct language *l)
{
        l->renew_next = l->renew_next == 0 ? 1 : 2 * l->renew_next;
        if (l->renew_next > RENEW_WAIT_MAX)
                l->renew_next = RENEW_WAIT_MAX;
        l->renew_wait = l->renew_next;
}

/* Counts a zygote that should have served, and never had a warm sandbox. */
static void count_failed_start(struct language *l, bool hung)
{
        if (++l->failed_starts >= MAX_FAILED_STARTS || hung)
                language_set_broken(l, hung ? "its zygote does not come up"
                                            : "zygote after zygote ends before it can serve");
}

static void lose(struct zygote *z, const char *why)
{
        struct language *l = z->owner;
        enum zygote_phase phase = z->phase;
        bool hung = z->phase == ZYGOTE_COMING && z->coming_ticks >= ZYGOTE_COMING_TICKS;
        bool served = z->greeted && l->was_full;

        say_end(l, z, why);
        if (!l->sched->closing) /* the zygote has ended; or it should end, and may hang */
                l->sched->ops->kill(l->sched->owner, l->name, z->generation);
        TAILQ_REMOVE(&l->zygotes, z, link);
        zygote_free(z);
        if (l->sched->closing)
                return;
        if (phase == ZYGOTE_COMING)
                put_renewal_off(l);
        if (!language_in_phase(l, ZYGOTE_CURRENT)) {
                struct zygote *next = language_in_phase(l, ZYGOTE_COMING);
                language_set_ready(l, false, "it is being started again");
                if (next && next->greeted)
                        promote(l, next);
                if (!served && !next && phase != ZYGOTE_RETIRING)
                        count_failed_start(l, hung);
        }
        language_kick(l);
}

/* ---------------------------------------------------------------- what a zygote tells */

static void learn(struct language *l, const struct report *report)
{
        snprintf(l->version, sizeof l->version, "%.*s", (int)sizeof report->hello.version, report->hello.version);
        snprintf(l->main_file, sizeof l->main_file, "%.*s", (int)sizeof report->hello.main_file,
                 report->hello.main_file);
        if (!l->is_profile) /* a profile's aliases belong to the language that has its runtime's name */
                snprintf(l->aliases, sizeof l->aliases, "%.*s", (int)sizeof report->hello.aliases,
                         report->hello.aliases);
        snprintf(l->extensions, sizeof l->extensions, "%.*s", (int)sizeof report->hello.extensions,
                 report->hello.extensions);
        l->kind = kind_name(report->hello.kind) ? (enum kind)report->hello.kind : 0;
        l->echoes = report->hello.echoes != 0;
        l->prompts = report->hello.prompts != 0;
        l->starts_fresh = report->hello.fresh != 0;
        l->n_preloads = 0;
}

static void on_greeted(struct zygote *z, const struct report *report)
{
        struct language *l = z->owner;
        bool first = !l->known;

        l->known = true;
        learn(l, report);
        if (first)
                claims_look(l);
        log_debug(l->sched->log, "%s %s: generation %" PRIu32 " is here", l->name, l->version, z->generation);
        if (!language_in_phase(l, ZYGOTE_CURRENT) && z->phase == ZYGOTE_COMING)
                promote(l, z);
        if (first)
                l->sched->ops->spoken(l->sched->owner);
}

static void on_preloaded(struct zygote *z, const struct report *report)
{
        struct language *l = z->owner;

        if (l->n_preloads == LANGUAGE_MAX_PRELOADS)
                return;
        struct preload_fact *p = &l->preloads[l->n_preloads++];
        *p = (struct preload_fact){
                .missing = report->preload.missing != 0,
                .first_us = report->preload.first_us,
                .again_us = report->preload.again_us,
        };
        snprintf(p->name, sizeof p->name, "%.*s", (int)sizeof report->preload.name, report->preload.name);
}

static void on_making(struct zygote *z, struct slot *slot)
{
        struct language *l = z->owner;
        bool serves = z->phase == ZYGOTE_CURRENT;
        int64_t limit[LIMIT_COUNT];

        slot->sandbox = ++l->sched->last_sandbox;
        if (slot->state == SLOT_REMAKING)
                return; /* the run that holds the slot handles the rest */
        memcpy(limit, l->standard, sizeof limit);
        bounds_cut(limit, &z->ceilings);
        slot->memory_bytes = limit[LIMIT_MEMORY];
        slot->disk_bytes = limit[LIMIT_DISK];
        slot->pids = limit[LIMIT_PIDS];
        slot->replaces = serves && scale_ordered(&l->scale);
        slot->urgent = serves && language_demand(l) > slots_coming(&z->slots);
}

static void on_warmed(struct zygote *z, struct slot *slot, int64_t ordered_us, const struct report *report)
{
        struct language *l = z->owner;

        if (z->phase == ZYGOTE_CURRENT)
                scale_refilled(&l->scale, slot->replaces, z->slots.count[SLOT_WARM]);
        scale_weighed(&l->scale, report->warm.memory_bytes);
        if (slot->recycled) {
                uint64_t teardown, refill;
                stages_of_slot(slot->freed_us, ordered_us, report->warm.gone_us, slot->warm_us, &teardown, &refill);
                stats_slot_stages(&l->stats, teardown, refill);
                stats_recycled(&l->stats, slot->warm_us - ordered_us);
        }
        look_at_warm(l, z);
}

static void on_failed(struct zygote *z)
{
        struct language *l = z->owner;

        l->stats.failures++;
        if (z->phase != ZYGOTE_CURRENT || z->failures != ZYGOTE_MAX_FAILURES)
                return;
        language_set_ready(l, false, "sandbox after sandbox fails; the log names the step");
        if (!l->was_full)
                language_set_broken(l, "sandbox after sandbox fails");
}

static void on_failed_holder(struct zygote *z)
{
        struct language *l = z->owner;
        l->stats.failures++;
}

static void on_discarded(struct zygote *z)
{
        struct language *l = z->owner;
        l->stats.discarded++;
}

static void on_changed(struct zygote *z)
{
        language_kick(z->owner);
}

static const struct zygote_ops zygote_ops = {
        .greeted = on_greeted,
        .preloaded = on_preloaded,
        .making = on_making,
        .warmed = on_warmed,
        .failed = on_failed,
        .failed_holder = on_failed_holder,
        .discarded = on_discarded,
        .changed = on_changed,
        .ended = lose,
};

/* ---------------------------------------------------------------- what its scheduler says */

void language_adopt(struct language *l, uint32_t generation, int sock)
{
        struct zygote *coming = language_in_phase(l, ZYGOTE_COMING), *z = NULL;
        const struct zygote_options options = {
                .ops = &zygote_ops,
                .owner = l,
                .base = l->sched->base,
                .log = l->sched->log,
                .name = l->name,
                .generation = generation,
        };
        struct err e = { 0 };

        l->asked = false;
        if (sock < 0) {
                log_error(l->sched->log, "%s: no descriptor is left for another zygote's channel", l->name);
                return; /* the next tick asks for another */
        }
        if (coming)
                lose(coming, "another takes its place");
        if (zygote_new(&z, &options, sock, &e) < 0) {
                log_error(l->sched->log, "%s: %s", l->name, e.text);
                return; /* the next tick asks for another */
        }
        language_set_numbers(l, z);
        TAILQ_INSERT_TAIL(&l->zygotes, z, link);
}

void language_outdate(struct language *l)
{
        struct zygote *z;
        TAILQ_FOREACH(z, &l->zygotes, link)
        z->stale = true;
        l->renew_wait = 0;
}

void language_drain(struct language *l)
{
        struct zygote *z;
        TAILQ_FOREACH(z, &l->zygotes, link)
        zygote_drain(z);
}

void language_tick(struct language *l)
{
        struct zygote *z = TAILQ_FIRST(&l->zygotes), *next;

        for (; z; z = next) {
                const char *why = zygote_tick(z);
                next = TAILQ_NEXT(z, link);
                if (!why) {
                        if (z->greeted)
                                look_at_warm(l, z); /* after a reload fewer warm sandboxes may be enough */
                        continue;
                }
                lose(z, why);
        }
        scale_fade(&l->scale, clock_us());
        scale_runs(&l->scale, language_busy(l));
        language_order_sandboxes(l); /* there may be too many slots now */
        if (l->renew_wait > 0)
                l->renew_wait--;
        ask_if_due(l);
}

/* ---------------------------------------------------------------- its pulse and its end */

void language_kick(struct language *l)
{
        language_serve_waiting(l);

        unsigned demand = language_demand(l);
        scale_waits(&l->scale, demand, clock_us());
        scale_runs(&l->scale, language_busy(l) + demand);
        if (l->scale.grown)
                l->sched->language_ops->grown(l->sched);
        language_order_sandboxes(l);
        ask_if_due(l);
        if (queue_unblocked(&l->sched->queue))
                event_active(&l->sched->unblocked, EV_TIMEOUT, 0);
}

/* Runs may need the runtime until they end, but the configuration no longer has it. */
static void keep_runtime(struct language *l)
{
        struct err e = { 0 };

        if (!l->compile.runtime)
                return;
        if (config_runtime_copy(&l->kept, l->compile.runtime, &e) < 0)
                log_error(l->sched->log, "%s: %s", l->name, e.text);
        l->compile.runtime = l->kept.name ? &l->kept : NULL;
}

void language_leave(struct language *l)
{
        struct zygote *z = TAILQ_FIRST(&l->zygotes), *next;

        l->leaving = true;
        keep_runtime(l);
        for (; z; z = next) {
                next = TAILQ_NEXT(z, link);
                if (z->greeted)
                        zygote_retire(z);
                else
                        lose(z, "its language is configured no more");
        }
}

void language_fini(struct language *l)
{
        struct zygote *z;

        if (!l->sched)
                return;
        while ((z = TAILQ_FIRST(&l->zygotes)))
                lose(z, "the pool ends");
        config_runtime_fini(&l->kept);
}
