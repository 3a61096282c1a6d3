/* A language's configuration, the requests that it serves, and its readiness: see language.h. language_zygotes.c
 * handles its zygotes. */
#include "pool/sched/language.h"

#include "pool/link/bounds.h"
#include "pool/sched/language_parts.h"
#include "proto/base/clock.h"

#include <stdio.h>
#include <string.h>

static const char starting[] = "it is starting";

void language_init(struct language *l, struct sched *s, const struct config_language *config)
{
        l->sched = s;
        l->asked = true; /* the supervisor sends the first zygote without a request */
        l->fault = starting;
        snprintf(l->name, sizeof l->name, "%s", config->name);
        queue_lane_init(&l->lane);
        TAILQ_INIT(&l->zygotes);
        language_configure(l, config);
        scale_fade(&l->scale, clock_us()); /* demand is counted from now on */
}

/* Sets the zygote's numbers. A zygote that has not yet proved that it can make sandboxes is to make at least one. */
void language_set_numbers(const struct language *l, struct zygote *z)
{
        unsigned least_at_once = 4, at_once = 2 * l->sched->cores;
        bool proved = l->ready && z->phase != ZYGOTE_COMING;

        z->slots.warm = l->scale.target > 0 || proved ? l->scale.target : 1;
        z->slots.demand = z->phase == ZYGOTE_CURRENT ? language_demand(l) : 0;
        z->slots.at_once = at_once > least_at_once ? at_once : least_at_once;
        z->slots.running = l->running;
        z->slots.kept = scale_slots(&l->scale) < l->running ? scale_slots(&l->scale) : l->running;
        z->prestarted = l->kind == KIND_PRESTARTED;
        z->idle = l->sched->draining && l->lane.count == 0;
}

void language_order_sandboxes(struct language *l)
{
        struct zygote *z;

        TAILQ_FOREACH(z, &l->zygotes, link)
        {
                language_set_numbers(l, z);
                zygote_kick(z);
        }
}

void language_set_limits(struct language *l, const struct config_language *config)
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
        language_set_limits(l, config);
        l->compile.runtime = config->data;
        l->is_profile = strcmp(config->name, config->runtime) != 0;
        if (config->data && !l->known) {
                snprintf(l->aliases, sizeof l->aliases, "%s", l->is_profile ? "" : config->data->aliases);
                l->kind = config->data->kind;
        }
        scale_bounds(&l->scale, config->warm_min, config->warm_max, l->sched->config->warm_half_life_us);
        l->running = config->running;
        l->generation_forks = config->generation_forks;
        l->generation_us = config->generation_us;
        queue_lane_share(&l->lane, l->running, l->sched->config->client_share);
}

/* ---------------------------------------------------------------- coming back */

void language_come_back(struct language *l, const struct config_language *config)
{
        l->leaving = false;
        l->ready = l->was_full = l->broken = false;
        l->fault = starting;
        l->failed_starts = 0;
        l->asked = true; /* as for a new language */
        language_configure(l, config);
        config_runtime_fini(&l->kept);
}

bool language_is_gone(const struct language *l)
{
        return l->n_executions == 0 && TAILQ_EMPTY(&l->zygotes);
}

/* ---------------------------------------------------------------- the serving zygote */

struct zygote *language_in_phase(const struct language *l, enum zygote_phase phase)
{
        struct zygote *z;
        TAILQ_FOREACH(z, &l->zygotes, link)
        if (z->phase == phase)
                return z;
        return NULL;
}

const struct zygote *language_current(const struct language *l)
{
        return language_in_phase(l, ZYGOTE_CURRENT);
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
        struct zygote *current = language_in_phase(l, ZYGOTE_CURRENT);
        return current && language_busy(l) < l->running ? slots_ready(&current->slots) : NULL;
}

bool language_has_room(const struct language *l)
{
        return l->lane.count == 0 && next_slot(l);
}

void language_serve_waiting(struct language *l)
{
        struct queue_entry *entry;
        struct slot *slot;

        while ((entry = queue_first(&l->lane)) && (slot = next_slot(l))) {
                queue_remove(&l->sched->queue, entry);
                slots_must_move(&slot->zygote->slots, slot, SLOT_RUNNING, clock_us());
                scale_taken(&l->scale, slot->zygote->slots.count[SLOT_WARM]);
                l->sched->ops->start(l->sched->owner, entry, slot);
        }
}

/* ---------------------------------------------------------------- readiness */

void language_set_ready(struct language *l, bool ready, const char *why)
{
        if (l->ready == ready)
                return;
        l->ready = ready;
        l->fault = ready ? "" : why;
        if (l->sched->closing || l->leaving)
                return;
        if (ready)
                log_info(l->sched->log, "%s: ready: %s", l->name, why);
        else
                log_warn(l->sched->log, "%s: not ready: %s", l->name, why);
}

void language_set_broken(struct language *l, const char *why)
{
        if (l->broken || l->leaving || l->sched->closing)
                return;
        l->broken = true;
        l->fault = why;
        log_error(l->sched->log, "%s: broken: %s; it is tried again and again, and the others do not wait for it",
                  l->name, why);
        l->sched->ops->lost(l->sched->owner, l, SCHED_BROKEN);
        l->sched->ops->spoken(l->sched->owner);
        l->sched->language_ops->came_up(l->sched);
}

static void set_whole(struct language *l)
{
        l->failed_starts = 0;
        if (l->broken)
                log_info(l->sched->log, "%s: mended", l->name);
        l->broken = false;
}

void language_serves_well(struct language *l, const struct zygote *z)
{
        unsigned least = l->scale.min < l->scale.target ? l->scale.min : l->scale.target;

        if (z->slots.count[SLOT_WARM] >= (least > 0 ? least : 1) && !l->was_full) {
                l->was_full = true;
                set_whole(l);
                language_set_ready(l, true, "its sandboxes are warm");
                l->sched->language_ops->came_up(l->sched);
        } else if (z->slots.count[SLOT_WARM] > 0 && z->failures < ZYGOTE_MAX_FAILURES && l->was_full) {
                set_whole(l);
                language_set_ready(l, true, "there are warm sandboxes again");
        }
}

/* ---------------------------------------------------------------- facts */

void language_count(const struct language *l, struct language_count *count)
{
        const struct zygote *z;

        *count = (struct language_count){ 0 };
        TAILQ_FOREACH(z, &l->zygotes, link)
        {
                count->warm += z->slots.count[SLOT_WARM];
                count->running += z->slots.busy;
                count->preparing += z->slots.count[SLOT_PREPARING];
                count->zygotes++;
        }
}

bool language_names_are_others(const struct language *l)
{
        const struct config_language *config = config_find_language(l->sched->config, l->name);
        return l->is_profile && config && config_find_language(l->sched->config, config->runtime);
}
