/* Zygotes and their slots: see zygotes.h. */
#include "pool/link/zygote.h"

#include "pool/base/loop.h"
#include "pool/core/run.h"
#include "pool/link/bounds.h"
#include "pool/sched/language.h"
#include "pool/state.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
        /* After a failure the next sandbox is ordered a little later, each time twice as late: a host that is out of
         * something is not helped by being asked all the time. */
        BACKOFF_FIRST_US = 50000,
        BACKOFF_MAX_US = 5000000,

        PING_TICKS = 3, /* of silence: is it the zygote, or a slot? */

        /* Of a zygote that owes answers: what it was given, longer than it waits for an init; and ticks in any case. */
        SILENT_US = 10500000,
        SILENT_TICKS = 120,

        /* Of one slot, while the zygote answers for others. The zygote itself gives up sooner, and knows what a sandbox
         * was given (zygote/sandbox_overdue.c). */
        STUCK_TICKS = 45,
        MAKING_TICKS = 150,
        PRESTART_TICKS = 540, /* where a program is started ahead in it, which may be a large one */
};

static int on_report(void *owner, const struct report *report, const int *fds, size_t n_fds, struct err *e);

static void on_end(void *owner, const char *why)
{
        language_lost(owner, why);
}

static void on_backoff(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct zygote *z = arg;
        z->not_before_us = 0;
        language_kick(z->language);
}

int zygote_new(struct zygote **out, struct language *l, uint32_t generation, int sock, struct err *e)
{
        OWN_FD int owned = sock;
        struct zygote *z = calloc(1, sizeof *z);
        if (!z)
                return err_set(e, ENOMEM, "a zygote");
        *z = (struct zygote){
                .language = l,
                .end = { .on_report = on_report, .on_end = on_end, .owner = z, .sock = -1 },
                .generation = generation,
                .load = -1,
                .born_us = clock_us(),
        };
        int r = slots_init(&z->slots, z, e);
        if (r == 0 && (evtimer_assign(&z->backoff, l->pool->base, on_backoff, z) < 0 ||
                       loop_urgent(&z->backoff, LOOP_REPORTS) < 0))
                r = err_say(e, EIO, "a timer");
        if (r == 0)
                r = channel_end_open(&z->end, l->pool->base, own_steal_fd(&owned), e);
        if (r < 0) {
                slots_fini(&z->slots);
                free(z);
                return r;
        }
        *out = z;
        return 0;
}

static void close_fds(struct slot *slot)
{
        for (size_t i = 0; i < CHANNEL_WARM_FDS; i++) {
                own_close(&slot->fd[i]);
                slot->fd[i] = -1;
        }
}

void zygote_free(struct zygote *z)
{
        channel_end_close(&z->end);
        own_close(&z->load);
        event_del(&z->backoff);
        for (uint32_t i = 0; i < CHANNEL_MAX_SLOTS; i++) {
                struct slot *slot = &z->slots.slot[i];
                struct run *run = slot->run;

                slot->run = NULL;
                if (run)
                        run_zygote_lost(run);
                close_fds(slot);
        }
        slots_fini(&z->slots);
        free(z);
}

/* ---------------------------------------------------------------- orders */

void zygote_order(struct zygote *z, struct slot *slot, enum order_kind kind, int fd)
{
        struct order order = {
                .kind = kind,
                .slot = slot->number,
                .sandbox = slot->sandbox,
                .memory_bytes = slot->memory_bytes,
                .disk_bytes = slot->disk_bytes,
                .pids = slot->pids,
                .urgent = kind == ORDER_MAKE && slot->urgent,
        };
        if (kind != ORDER_COLLECT && kind != ORDER_CLEAR)
                slot_owe(slot);
        channel_end_order(&z->end, &order, fd);
}

static void move(struct zygote *z, struct slot *slot, enum slot_state to)
{
        slots_must_move(&z->slots, slot, to, clock_us());
}

static void make(struct zygote *z, struct slot *slot)
{
        struct language *l = z->language;
        int64_t limit[LIMIT_COUNT];

        slot->sandbox = ++l->pool->last_sandbox;
        memcpy(limit, l->standard, sizeof limit);
        bounds_cut(limit, &z->ceilings);
        slot->memory_bytes = limit[LIMIT_MEMORY];
        slot->disk_bytes = limit[LIMIT_DISK];
        slot->pids = limit[LIMIT_PIDS];
        slot->recycled = slot->alive;
        slot->replaces = z->stage == ZYGOTE_CURRENT && scale_ordered(&l->scale);
        slot->urgent = z->stage == ZYGOTE_CURRENT && language_demand(l) > slots_coming(&z->slots);
        z->forks++;
        move(z, slot, SLOT_PREPARING);
        zygote_order(z, slot, ORDER_MAKE, -1);
}

static void kill_sandbox(struct zygote *z, struct slot *slot)
{
        move(z, slot, SLOT_DYING);
        zygote_order(z, slot, ORDER_KILL, -1);
}

/* The slot is EMPTY, or DYING until the report comes. */
static void drop(struct zygote *z, struct slot *slot)
{
        slot->dropping = slot->state == SLOT_DYING;
        zygote_order(z, slot, ORDER_DROP, -1);
        if (slot->state == SLOT_EMPTY)
                slots_gone(&z->slots, slot);
}

void zygote_drain(struct zygote *z)
{
        const struct order drain = { .kind = ORDER_DRAIN };

        if (z->drained)
                return;
        z->drained = true;
        channel_end_order(&z->end, &drain, -1);
}

static void kick_retiring(struct zygote *z)
{
        struct slot *slot;

        while ((slot = TAILQ_FIRST(&z->slots.waiting)))
                kill_sandbox(z, slot);
        if (z->slots.count[SLOT_EMPTY] == CHANNEL_MAX_SLOTS)
                zygote_drain(z);
}

void zygote_kick(struct zygote *z)
{
        const struct language *l = z->language;
        struct slot *slot;

        if (!z->greeted || z->drained)
                return;
        if (z->stage == ZYGOTE_RETIRING) {
                kick_retiring(z);
                return;
        }
        while ((slot = slots_surplus(&z->slots))) {
                if (slot->state == SLOT_WARM)
                        kill_sandbox(z, slot);
                else
                        drop(z, slot);
        }
        if ((z->not_before_us > 0 && clock_us() < z->not_before_us) || (l->pool->draining && l->lane.count == 0))
                return;
        while ((slot = slots_want(&z->slots)))
                make(z, slot);
}

void zygote_retire(struct zygote *z)
{
        z->stage = ZYGOTE_RETIRING;
        event_del(&z->backoff);
        zygote_kick(z);
}

/* ---------------------------------------------------------------- slots come back */

void zygote_return(struct zygote *z, struct slot *slot)
{
        slot->run = NULL;
        kill_sandbox(z, slot);
        close_fds(slot);
}

void zygote_recycle(struct zygote *z, struct slot *slot, bool discard)
{
        slot->run = NULL;
        if (slot->freed_us == 0) /* it was answered at no time: its sandbox had no run */
                slot->freed_us = clock_us();
        close_fds(slot);
        if (discard) {
                z->language->stats.discarded++;
                drop(z, slot);
                language_kick(z->language);
                return;
        }
        move(z, slot, SLOT_EMPTY);
        language_kick(z->language);
        if (slot->state == SLOT_EMPTY && slot->alive && !z->drained) /* enough are warm: its files need not wait */
                zygote_order(z, slot, ORDER_CLEAR, -1);
}

/* ---------------------------------------------------------------- what goes wrong */

/* A sandbox could not be made, or was lost while it waited. Negative: enough. */
static int failed(struct zygote *z, struct err *e)
{
        z->language->stats.failures++;
        z->failures++;
        z->backoff_us = z->backoff_us ? 2 * z->backoff_us : BACKOFF_FIRST_US;
        if (z->backoff_us > BACKOFF_MAX_US)
                z->backoff_us = BACKOFF_MAX_US;
        struct timeval delay = clock_delay(z->backoff_us);
        z->not_before_us = clock_us() + z->backoff_us;
        if (event_add(&z->backoff, &delay) < 0)
                log_warn(&z->language->pool->log, "%s: a timer can't be set; the next tick does", z->language->name);
        if (z->stage == ZYGOTE_COMING && z->failures >= ZYGOTE_MAX_FAILURES)
                return err_say(e, EIO, "%d of its sandboxes failed in a row", ZYGOTE_MAX_FAILURES);
        language_failed(z->language, z);
        return 0;
}

/* The zygote answers for others, but not for this one. */
static void give_up(struct zygote *z, struct slot *slot)
{
        struct run *run = slot->run;

        log_error(&z->language->pool->log, "%s: slot %u was not answered for, and is given up", z->language->name,
                  slot->number);
        slot->run = NULL;
        if (slot->state != SLOT_DYING)
                move(z, slot, SLOT_DYING);
        z->language->stats.discarded++;
        drop(z, slot);
        if (run)
                run_slot_failed(run, "it was not answered for");
        close_fds(slot);
}

static void ping(struct zygote *z)
{
        const struct order order = { .kind = ORDER_PING };
        channel_end_order(&z->end, &order, -1);
}

/* Who holds a slot for long is charged with it while it does. */
static void charge_runs(struct zygote *z)
{
        for (uint32_t i = 0; i < CHANNEL_MAX_SLOTS && z->slots.busy > 0; i++)
                if (z->slots.slot[i].run)
                        run_goes_on(z->slots.slot[i].run);
}

/* Does it hang? One that is ready to answer, and gets no processor, does not. */
static bool is_silent(struct zygote *z, bool owes)
{
        struct patience_look look = { .now_us = clock_us() };

        if (!owes || z->heard) {
                z->silent_ticks = 0;
                z->silence = (struct patience){ 0 };
                return false;
        }
        z->silent_ticks++;
        patience_read(z->load, &look);
        patience_look(&z->silence, &look);
        if (z->silent_ticks == PING_TICKS)
                ping(z);
        return z->silence.given_us >= SILENT_US || z->silent_ticks >= SILENT_TICKS;
}

const char *zygote_tick(struct zygote *z)
{
        struct slot *stuck;
        unsigned making = z->language->kind == KIND_PRESTARTED ? PRESTART_TICKS : MAKING_TICKS;
        unsigned owed = slots_tick(&z->slots, STUCK_TICKS, making, &stuck);
        bool silent = is_silent(z, owed > 0 || z->drained);

        charge_runs(z);
        z->heard = false;
        if (silent)
                return "it does not answer";
        /* Sandboxes that are being made have a patience of their own. */
        if (z->stage == ZYGOTE_COMING && z->slots.count[SLOT_PREPARING] == 0 &&
            ++z->coming_ticks >= ZYGOTE_COMING_TICKS)
                return "it does not come up";
        if (!stuck)
                return NULL;
        give_up(z, stuck);
        language_kick(z->language);
        return NULL;
}

/* ---------------------------------------------------------------- reports */

static int on_warm(struct zygote *z, struct slot *slot, const struct report *report, const int *fds, struct err *e)
{
        int64_t now = clock_us(), began = slot->since_us;

        int r = slots_move(&z->slots, slot, SLOT_WARM, now, e);
        if (r < 0)
                return r;
        slot_paid(slot);
        memcpy(slot->fd, fds, sizeof slot->fd);
        slot->warm_us = now;
        slot->making_us = slot_making_us(slot, report->warm.cpu_base_us);
        slot->cpu_base_us = report->warm.cpu_base_us;
        z->backoff_us = 0;
        z->failures = 0;
        if (z->stage == ZYGOTE_CURRENT)
                scale_refilled(&z->language->scale, slot->replaces, z->slots.count[SLOT_WARM]);
        scale_weighed(&z->language->scale, report->warm.memory_bytes);
        if (slot->recycled) {
                uint64_t teardown, refill;
                stages_of_slot(slot->freed_us, began, report->warm.gone_us, now, &teardown, &refill);
                stats_slot_stages(&z->language->stats, teardown, refill);
                stats_recycled(&z->language->stats, now - began);
        }
        slot->freed_us = 0;
        language_warmed(z->language, z);
        return 0;
}

/* The pool itself is out of descriptors, so the sandbox's were lost on the way: it can't be used. */
static int on_warm_in_vain(struct zygote *z, struct slot *slot, struct err *e)
{
        int r = slots_move(&z->slots, slot, SLOT_DYING, clock_us(), e);
        if (r < 0)
                return r;
        log_warn(&z->language->pool->log, "%s: slot %u: the pool can open no descriptors for its sandbox",
                 z->language->name, slot->number);
        slot_paid(slot);
        drop(z, slot);
        return failed(z, e);
}

static int on_limited(struct slot *slot, struct err *e)
{
        if (slot->state == SLOT_DYING)
                return 0; /* its run was cancelled meanwhile */
        if (slot->state != SLOT_RUNNING || !slot->run || !run_is_limiting(slot->run))
                return err_say(e, EPROTO, "limits were set that nobody asked for");
        slot_paid(slot);
        run_limited(slot->run);
        return 0;
}

static int on_exited(struct zygote *z, struct slot *slot, const struct report *report, struct err *e)
{
        bool was_warm = slot->state == SLOT_WARM;

        slot->cpu_end_us = slot->cpu_base_us + report->exited.cpu_us;
        slot_paid(slot);
        if (slot->state == SLOT_DYING && !slot->run) {
                zygote_recycle(z, slot, report->exited.unproved);
                return 0;
        }
        int r = slots_move(&z->slots, slot, SLOT_DYING, clock_us(), e);
        if (r < 0)
                return r;
        if (slot->run) {
                run_exited(slot->run, report);
                return 0;
        }
        if (was_warm) {
                log_warn(&z->language->pool->log, "%s: a waiting sandbox died (wait status 0x%x)", z->language->name,
                         (unsigned)report->exited.wait_status);
                r = failed(z, e);
        }
        zygote_recycle(z, slot, report->exited.unproved);
        return r;
}

static void on_dropped(struct zygote *z, struct slot *slot)
{
        slot_paid(slot);
        if (!slot->dropping)
                return; /* an idle slot: it was counted off when the order went out */
        slots_gone(&z->slots, slot);
        move(z, slot, SLOT_EMPTY);
}

static int on_failed(struct zygote *z, struct slot *slot, const struct report *report, struct err *e)
{
        struct language *l = z->language;
        struct run *run = slot->run;
        bool of_a_run = slot->busy;
        char why[128];
        int r = 0;

        snprintf(why, sizeof why, "%.*s: %s", CHANNEL_STEP_SIZE, report->failed.step,
                 strerror(err_told(report->failed.error)));
        log_warn(&l->pool->log, "%s: slot %u: %s", l->name, slot->number, why);
        slot_paid(slot);
        slot->run = NULL;
        if (slot->state != SLOT_EMPTY)
                move(z, slot, SLOT_EMPTY);
        slots_gone(&z->slots, slot);
        /* What fails with a run in it may be the run's own doing, and holds up nobody else. */
        if (of_a_run)
                l->stats.failures++;
        else
                r = failed(z, e);
        if (run)
                run_slot_failed(run, why);
        close_fds(slot);
        return r;
}

/* *kept: the descriptors were taken over. */
static int about_slot(struct zygote *z, const struct report *report, const int *fds, size_t n_fds, bool *kept,
                      struct err *e)
{
        struct slot *slot = &z->slots.slot[report->slot];
        bool given_up = slot->dropping && (report->kind == REPORT_WARM || report->kind == REPORT_EXITED);
        int r;

        if (slot->sandbox != report->sandbox || given_up)
                return 0; /* late */
        switch (report->kind) {
        case REPORT_WARM:
                if (n_fds == 0)
                        return on_warm_in_vain(z, slot, e);
                r = on_warm(z, slot, report, fds, e);
                *kept = r == 0;
                return r;
        case REPORT_LIMITED:
                return on_limited(slot, e);
        case REPORT_EXITED:
                return on_exited(z, slot, report, e);
        case REPORT_DROPPED:
                on_dropped(z, slot);
                return 0;
        case REPORT_FAILED:
                return on_failed(z, slot, report, e);
        case REPORT_RETIRED:
                z->language->stats.discarded++;
                return 0;
        default:
                return err_say(e, EPROTO, "a report of no kind (%u)", report->kind);
        }
}

static int on_report(void *owner, const struct report *report, const int *fds, size_t n_fds, struct err *e)
{
        struct zygote *z = owner;
        bool is_hello = report->kind == REPORT_HELLO, kept = false;
        int r = 0;

        z->heard = true;
        if (n_fds != 0 && n_fds != (report->kind == REPORT_WARM ? (size_t)CHANNEL_WARM_FDS : is_hello ? 1 : 0))
                r = err_say(e, EPROTO, "a report of kind %u with %zu descriptors", report->kind, n_fds);
        else if (is_hello == z->greeted)
                r = err_say(e, EPROTO, is_hello ? "a second hello" : "a report before the hello");
        else if (!is_hello && report->slot >= CHANNEL_MAX_SLOTS) /* 0 where it is about none */
                r = err_say(e, EPROTO, "a report about slot %u", report->slot);
        else if (is_hello) {
                z->greeted = true;
                z->ceilings = report->hello.ceilings;
                kept = n_fds == 1;
                if (kept)
                        z->load = fds[0];
                language_greeted(z->language, z, report);
        } else if (report->kind == REPORT_PRELOAD) {
                language_preloaded(z->language, report);
        } else if (report->kind != REPORT_PONG) { /* of that one, that it came is all */
                r = about_slot(z, report, fds, n_fds, &kept, e);
        }
        for (size_t i = 0; !kept && i < n_fds; i++)
                close(fds[i]);
        if (r == 0)
                language_kick(z->language);
        return r;
}
