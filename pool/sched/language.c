/* Languages at run time: see language.h. */
#include "pool/sched/language.h"

#include "pool/control.h"
#include "pool/core/early.h"
#include "pool/core/run.h"
#include "pool/link/bounds.h"
#include "pool/sched/claims.h"
#include "pool/sched/registry.h"
#include "pool/state.h"
#include "proto/base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
        RENEW_WAIT_MAX = 64, /* ticks between two tries to renew */
        MAX_FAILED_STARTS = 3,
};

void language_init(struct language *l, struct pool *p, const struct config_language *config)
{
        l->pool = p;
        l->asked = true; /* the supervisor sends the first zygote unasked */
        snprintf(l->name, sizeof l->name, "%s", config->name);
        queue_lane_init(&l->lane);
        TAILQ_INIT(&l->zygotes);
        language_configure(l, config);
        scale_fade(&l->scale, clock_us()); /* from now on */
}

/* Of a zygote that has yet to prove that its sandboxes come as they should, there is to be one at least. */
static void set_numbers(struct zygote *z)
{
        const struct language *l = z->language;
        unsigned least_at_once = 4, at_once = 2 * l->pool->cores;
        bool proved = l->ready && z->stage != ZYGOTE_COMING;

        z->slots.warm = l->scale.target > 0 || proved ? l->scale.target : 1;
        z->slots.demand = z->stage == ZYGOTE_CURRENT ? language_demand(l) : 0;
        z->slots.at_once = at_once > least_at_once ? at_once : least_at_once;
        z->slots.running = l->running;
        z->slots.kept = scale_slots(&l->scale) < l->running ? scale_slots(&l->scale) : l->running;
}

void language_order_sandboxes(struct language *l)
{
        struct zygote *z;

        TAILQ_FOREACH(z, &l->zygotes, link)
        {
                set_numbers(z);
                zygote_kick(z);
        }
}

/* What requests may ask for: a ceiling that was raised holds as soon as a zygote that knows it serves. */
static void set_limits(struct language *l, const struct config_language *config)
{
        const struct zygote *current = language_current(l);

        memcpy(l->standard, config->standard, sizeof l->standard);
        memcpy(l->ceiling, config->ceiling, sizeof l->ceiling);
        memcpy(l->compile.standard, config->compile_standard, sizeof l->compile.standard);
        memcpy(l->compile.ceiling, config->compile_ceiling, sizeof l->compile.ceiling);
        if (!current)
                return;
        bounds_cut(l->standard, &current->ceilings);
        bounds_cut(l->ceiling, &current->ceilings);
        bounds_cut(l->compile.standard, &current->ceilings);
        bounds_cut(l->compile.ceiling, &current->ceilings);
}

void language_configure(struct language *l, const struct config_language *config)
{
        set_limits(l, config);
        l->compile.runtime = config->data;
        l->is_profile = strcmp(config->name, config->runtime) != 0;
        if (config->data && !l->known) {
                snprintf(l->aliases, sizeof l->aliases, "%s", l->is_profile ? "" : config->data->aliases);
                l->kind = config->data->kind;
        }
        scale_bounds(&l->scale, config->warm_min, config->warm_max, l->pool->config.warm_half_life_us);
        l->running = config->running;
        l->generation_forks = config->generation_forks;
        l->generation_us = config->generation_us;
        queue_lane_share(&l->lane, l->running, l->pool->config.client_share);
}

void language_fini(struct language *l)
{
        struct zygote *z;

        if (!l->pool)
                return;
        while ((z = TAILQ_FIRST(&l->zygotes)))
                language_lost(z, "the pool ends");
        config_runtime_fini(&l->kept);
}

/* ---------------------------------------------------------------- leaving, and coming back */

/* What runs may need the runtime until it ends, and the configuration has it no more. */
static void keep_runtime(struct language *l)
{
        struct err e = { 0 };

        if (!l->compile.runtime)
                return;
        if (config_runtime_copy(&l->kept, l->compile.runtime, &e) < 0)
                log_error(&l->pool->log, "%s: %s", l->name, e.text);
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
                        language_lost(z, "its language is configured no more");
        }
}

void language_come_back(struct language *l, const struct config_language *config)
{
        l->leaving = false;
        l->ready = l->was_full = l->broken = false;
        l->failed_starts = 0;
        l->asked = true; /* as at its first coming */
        language_configure(l, config);
        config_runtime_fini(&l->kept);
}

bool language_is_gone(const struct language *l)
{
        return l->n_runs == 0 && TAILQ_EMPTY(&l->zygotes);
}

/* ---------------------------------------------------------------- who serves */

static struct zygote *find_stage(const struct language *l, enum zygote_stage stage)
{
        struct zygote *z;
        TAILQ_FOREACH(z, &l->zygotes, link)
        if (z->stage == stage)
                return z;
        return NULL;
}

const struct zygote *language_current(const struct language *l)
{
        return find_stage(l, ZYGOTE_CURRENT);
}

unsigned language_busy(const struct language *l)
{
        struct zygote *z;
        unsigned busy = 0;
        TAILQ_FOREACH(z, &l->zygotes, link)
        busy += z->slots.busy;
        return busy;
}

unsigned language_demand(const struct language *l)
{
        unsigned busy = language_busy(l), room = l->running > busy ? l->running - busy : 0;

        if (!queue_first(&l->lane))
                return 0;
        return l->lane.count < room ? l->lane.count : room;
}

/* The warm sandbox for the next request. The bound on runs holds over all zygotes. */
static struct slot *next_slot(const struct language *l)
{
        struct zygote *current = find_stage(l, ZYGOTE_CURRENT);
        return current && language_busy(l) < l->running ? slots_ready(&current->slots) : NULL;
}

bool language_has_room(const struct language *l)
{
        return l->lane.count == 0 && next_slot(l);
}

static void serve_waiting(struct language *l)
{
        struct queue_entry *entry;
        struct slot *slot;

        while ((entry = queue_first(&l->lane)) && (slot = next_slot(l))) {
                queue_remove(&l->pool->queue, entry);
                slots_must_move(&slot->zygote->slots, slot, SLOT_RUNNING, clock_us());
                scale_taken(&l->scale, slot->zygote->slots.count[SLOT_WARM]);
                run_start(run_of_entry(entry), slot);
        }
}

static void ask(struct language *l)
{
        l->asked = control_renew(l->pool->control, l->name) == 0;
}

static bool has_served_its_time(const struct language *l, const struct zygote *z)
{
        /* One that could be due before it is warm would never serve. */
        uint64_t least = 2 * (uint64_t)l->scale.target;
        uint64_t forks = l->generation_forks > least ? l->generation_forks : least;

        return z->stale || (l->generation_forks > 0 && z->forks >= forks) ||
               (l->generation_us > 0 && clock_us() - z->born_us >= l->generation_us);
}

/* There is to be one that serves; and while nothing else is going on, one that has served its time is replaced. */
static void ask_if_due(struct language *l)
{
        const struct zygote *current = find_stage(l, ZYGOTE_CURRENT);

        if (l->asked || l->leaving || l->pool->draining || find_stage(l, ZYGOTE_COMING))
                return;
        if (!current || (l->renew_wait == 0 && !find_stage(l, ZYGOTE_RETIRING) && has_served_its_time(l, current)))
                ask(l);
}

void language_kick(struct language *l)
{
        serve_waiting(l);

        unsigned demand = language_demand(l);
        scale_waits(&l->scale, demand, clock_us());
        scale_runs(&l->scale, language_busy(l) + demand);
        if (l->scale.grown)
                languages_share(l->pool);
        language_order_sandboxes(l);
        ask_if_due(l);
        if (queue_unblocked(&l->pool->queue))
                event_active(&l->pool->unblocked, EV_TIMEOUT, 0);
}

/* ---------------------------------------------------------------- readiness */

static void set_ready(struct language *l, bool ready, const char *why)
{
        if (l->ready == ready)
                return;
        l->ready = ready;
        if (l->pool->closing || l->leaving)
                return;
        if (ready)
                log_info(&l->pool->log, "%s: ready: %s", l->name, why);
        else
                log_warn(&l->pool->log, "%s: not ready: %s", l->name, why);
}

/* The others need not wait for it. Said once; what is wrong, its zygotes say. */
static void set_broken(struct language *l, const char *why)
{
        if (l->broken || l->leaving || l->pool->closing)
                return;
        l->broken = true;
        log_error(&l->pool->log, "%s: broken: %s; it is tried again and again, and the others do not wait for it",
                  l->name, why);
        languages_refuse_broken(l);
        early_settle(l->pool);
        pool_language_ready(l->pool);
}

static void set_whole(struct language *l)
{
        l->failed_starts = 0;
        if (l->broken)
                log_info(&l->pool->log, "%s: mended", l->name);
        l->broken = false;
}

void language_failed(struct language *l, const struct zygote *z)
{
        if (z->stage != ZYGOTE_CURRENT || z->failures != ZYGOTE_MAX_FAILURES)
                return;
        set_ready(l, false, "sandbox after sandbox fails; the lines above name the step");
        if (!l->was_full)
                set_broken(l, "sandbox after sandbox fails");
}

static void serves_well(struct language *l, const struct zygote *z)
{
        unsigned least = l->scale.min < l->scale.target ? l->scale.min : l->scale.target;

        if (z->slots.count[SLOT_WARM] >= (least > 0 ? least : 1) && !l->was_full) {
                l->was_full = true;
                set_whole(l);
                set_ready(l, true, "its sandboxes are warm");
                pool_language_ready(l->pool);
        } else if (z->slots.count[SLOT_WARM] > 0 && z->failures < ZYGOTE_MAX_FAILURES && l->was_full) {
                set_whole(l);
                set_ready(l, true, "there are warm sandboxes again");
        }
}

/* ---------------------------------------------------------------- zygotes come and go */

/* z takes the place of whatever served until now. */
static void promote(struct language *l, struct zygote *z)
{
        struct zygote *old = find_stage(l, ZYGOTE_CURRENT);
        const struct config_language *config = config_find_language(&l->pool->config, l->name);

        z->stage = ZYGOTE_CURRENT;
        scale_replaced(&l->scale);
        l->renew_wait = l->renew_next = 0;
        control_serves(l->pool->control, l->name, z->generation);
        if (old) {
                log_info(&l->pool->log,
                         "%s: generation %" PRIu32 " serves; %" PRIu32 " retires after %" PRIu64 " sandboxes", l->name,
                         z->generation, old->generation, old->forks);
                zygote_retire(old);
        }
        if (config)
                set_limits(l, config);
        serves_well(l, z);
}

void language_greeted(struct language *l, struct zygote *z, const struct report *report)
{
        bool first = !l->known;

        l->known = true;
        snprintf(l->version, sizeof l->version, "%.*s", (int)sizeof report->hello.version, report->hello.version);
        snprintf(l->main_file, sizeof l->main_file, "%.*s", (int)sizeof report->hello.main_file,
                 report->hello.main_file);
        if (!l->is_profile) /* the aliases are those of the language that is called as its runtime is */
                snprintf(l->aliases, sizeof l->aliases, "%.*s", (int)sizeof report->hello.aliases,
                         report->hello.aliases);
        snprintf(l->extensions, sizeof l->extensions, "%.*s", (int)sizeof report->hello.extensions,
                 report->hello.extensions);
        l->kind = kind_name(report->hello.kind) ? (enum kind)report->hello.kind : 0;
        l->echoes = report->hello.echoes != 0;
        l->n_preloads = 0;
        if (first)
                claims_look(l);
        log_debug(&l->pool->log, "%s %s: generation %" PRIu32 " is here", l->name, l->version, z->generation);
        if (!find_stage(l, ZYGOTE_CURRENT) && z->stage == ZYGOTE_COMING)
                promote(l, z);
        if (first)
                early_settle(l->pool);
}

void language_preloaded(struct language *l, const struct report *report)
{
        if (l->n_preloads == LANGUAGE_MAX_PRELOADS)
                return;
        hatchery_v1_PreloadStatus *p = &l->preloads[l->n_preloads++];
        *p = (hatchery_v1_PreloadStatus){
                .missing = report->preload.missing != 0,
                .first_us = report->preload.first_us,
                .again_us = report->preload.again_us,
        };
        snprintf(p->name, sizeof p->name, "%.*s", (int)sizeof report->preload.name, report->preload.name);
}

void language_warmed(struct language *l, struct zygote *z)
{
        if (z->stage == ZYGOTE_COMING && z->slots.count[SLOT_WARM] >= z->slots.warm)
                promote(l, z);
        else if (z->stage == ZYGOTE_CURRENT)
                serves_well(l, z);
}

void language_adopt(struct language *l, uint32_t generation, int sock)
{
        struct zygote *coming = find_stage(l, ZYGOTE_COMING), *z = NULL;
        struct err e = { 0 };

        l->asked = false;
        if (sock < 0) {
                log_error(&l->pool->log, "%s: no descriptor is left for another zygote's channel", l->name);
                return; /* the next tick asks for another */
        }
        if (coming)
                language_lost(coming, "another takes its place");
        if (zygote_new(&z, l, generation, sock, &e) < 0) {
                log_error(&l->pool->log, "%s: %s", l->name, e.text);
                return; /* the next tick asks for another */
        }
        set_numbers(z);
        TAILQ_INSERT_TAIL(&l->zygotes, z, link);
}

static void say_end(const struct language *l, const struct zygote *z, const char *why)
{
        if (l->pool->closing || l->leaving || z->drained)
                log_debug(&l->pool->log, "%s: generation %" PRIu32 " is gone: %s", l->name, z->generation, why);
        else
                log_warn(&l->pool->log, "%s: generation %" PRIu32 " is gone: %s", l->name, z->generation, why);
}

/* Each time later: what fails once more soon after is not the moment's fault. */
static void put_renewal_off(struct language *l)
{
        l->renew_next = l->renew_next == 0 ? 1 : 2 * l->renew_next;
        if (l->renew_next > RENEW_WAIT_MAX)
                l->renew_next = RENEW_WAIT_MAX;
        l->renew_wait = l->renew_next;
}

/* It was the one to serve, and no sandbox of it was ever warm. */
static void count_failed_start(struct language *l, bool hung)
{
        if (++l->failed_starts >= MAX_FAILED_STARTS || hung)
                set_broken(l, hung ? "its zygote does not come up" : "zygote after zygote ends before it can serve");
}

void language_lost(struct zygote *z, const char *why)
{
        struct language *l = z->language;
        enum zygote_stage stage = z->stage;
        bool hung = z->stage == ZYGOTE_COMING && z->coming_ticks >= ZYGOTE_COMING_TICKS;
        bool served = z->greeted && l->was_full;

        say_end(l, z, why);
        if (!l->pool->closing) /* it has ended, or should, and may not be able to */
                control_kill(l->pool->control, l->name, z->generation);
        TAILQ_REMOVE(&l->zygotes, z, link);
        zygote_free(z);
        if (l->pool->closing)
                return;
        if (stage == ZYGOTE_COMING)
                put_renewal_off(l);
        if (!find_stage(l, ZYGOTE_CURRENT)) {
                struct zygote *next = find_stage(l, ZYGOTE_COMING);
                set_ready(l, false, "it is being started again");
                if (next && next->greeted)
                        promote(l, next);
                if (!served && !next && stage != ZYGOTE_RETIRING)
                        count_failed_start(l, hung);
        }
        language_kick(l);
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
                                language_warmed(l, z); /* after a reload fewer may be enough */
                        continue;
                }
                language_lost(z, why);
        }
        scale_fade(&l->scale, clock_us());
        scale_runs(&l->scale, language_busy(l));
        language_order_sandboxes(l); /* slots may have become too many */
        if (l->renew_wait > 0)
                l->renew_wait--;
        ask_if_due(l);
}

/* ---------------------------------------------------------------- slots of runs */

void language_return(struct language *l, struct slot *slot)
{
        (void)l;
        zygote_return(slot->zygote, slot);
}

void language_recycle(struct language *l, struct slot *slot, bool discard)
{
        (void)l;
        zygote_recycle(slot->zygote, slot, discard);
}

void language_order(struct language *l, struct slot *slot, enum order_kind kind, int fd)
{
        (void)l;
        zygote_order(slot->zygote, slot, kind, fd);
}
