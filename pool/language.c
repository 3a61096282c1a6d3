/* Languages at run time: see language.h. */
#include "pool/language.h"

#include "pool/clock.h"
#include "pool/run.h"
#include "pool/state.h"
#include "proto/own.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* After a failure the next sandbox is ordered a little later, each time twice as late: a host that is out of something
 * is not helped by being asked all the time. */
enum { BACKOFF_FIRST_US = 50000, BACKOFF_MAX_US = 5000000 };

static void on_backoff(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        language_kick(arg);
}

int language_init(struct language *l, struct pool *p, const struct config_language *config, struct err *e)
{
        *l = (struct language){ .pool = p };
        snprintf(l->name, sizeof l->name, "%s", config->name);
        queue_lane_init(&l->lane);
        zygote_init(&l->zygote, l);
        int r = slots_init(&l->slots, e);
        if (r < 0)
                return r;
        if (evtimer_assign(&l->backoff, p->base, on_backoff, l) < 0)
                return err_say(e, EIO, "a timer");
        language_configure(l, config);
        return 0;
}

void language_configure(struct language *l, const struct config_language *config)
{
        memcpy(l->standard, config->standard, sizeof l->standard);
        memcpy(l->ceiling, config->ceiling, sizeof l->ceiling);
        l->slots.warm = config->warm;
        l->slots.running = config->running;
}

static void close_fds(struct slot *slot)
{
        for (size_t i = 0; i < CHANNEL_WARM_FDS; i++) {
                own_close(&slot->fd[i]);
                slot->fd[i] = -1;
        }
}

void language_fini(struct language *l)
{
        if (!l->pool)
                return;
        zygote_close(&l->zygote);
        event_del(&l->backoff);
        for (uint32_t i = 0; l->slots.slot && i < CHANNEL_MAX_SLOTS; i++)
                close_fds(&l->slots.slot[i]);
        slots_fini(&l->slots);
}

static bool names(const char *list, struct span name)
{
        for (const char *at = list; *at;) {
                size_t len = strcspn(at, " ");
                if (len == name.len && memcmp(at, name.data, len) == 0)
                        return true;
                at += len + strspn(at + len, " ");
        }
        return false;
}

struct language *language_find(struct pool *p, struct span name)
{
        if (name.len == 0)
                return NULL;
        for (size_t i = 0; i < p->n_languages; i++)
                if (names(p->languages[i].name, name))
                        return &p->languages[i];
        for (size_t i = 0; i < p->n_languages; i++)
                if (names(p->languages[i].aliases, name))
                        return &p->languages[i];
        return NULL;
}

/* ---------------------------------------------------------------- orders */

void language_order(struct language *l, const struct slot *slot, enum order_kind kind, int fd)
{
        struct order order = {
                .kind = kind,
                .slot = slot->number,
                .sandbox = slot->sandbox,
                .memory_bytes = slot->memory_bytes,
                .disk_bytes = slot->disk_bytes,
                .pids = slot->pids,
        };
        zygote_order(&l->zygote, &order, fd);
}

/* A move that the pool itself has chosen; the table has the arrow, or there is a mistake in this program. */
static void move(struct language *l, struct slot *slot, enum slot_state to)
{
        struct err e = { 0 };
        if (slots_move(&l->slots, slot, to, clock_us(), &e) < 0)
                log_error(&l->pool->log, "%s: %s", l->name, e.text);
}

static void make(struct language *l, struct slot *slot)
{
        slot->sandbox = ++l->pool->last_sandbox;
        slot->memory_bytes = l->standard[LIMIT_MEMORY];
        slot->disk_bytes = l->standard[LIMIT_DISK];
        slot->pids = l->standard[LIMIT_PIDS];
        slot->recycled = slot->alive;
        move(l, slot, SLOT_PREPARING);
        language_order(l, slot, ORDER_MAKE, -1);
}

static void kill_sandbox(struct language *l, struct slot *slot)
{
        move(l, slot, SLOT_DYING);
        language_order(l, slot, ORDER_KILL, -1);
}

/* The slot is EMPTY, or DYING until the report comes. */
static void drop(struct language *l, struct slot *slot)
{
        language_order(l, slot, ORDER_DROP, -1);
        if (slot->state == SLOT_EMPTY)
                slots_gone(&l->slots, slot);
}

static void serve_waiting(struct language *l)
{
        struct queue_entry *entry;
        struct slot *slot;

        while ((entry = queue_first(&l->lane)) && (slot = slots_ready(&l->slots))) {
                queue_remove(&l->pool->queue, entry);
                move(l, slot, SLOT_RUNNING);
                run_start(run_of_entry(entry), slot);
        }
}

void language_kick(struct language *l)
{
        struct slot *slot;

        if (!l->serves)
                return;
        serve_waiting(l);
        while ((slot = slots_surplus(&l->slots))) {
                if (slot->state == SLOT_WARM)
                        kill_sandbox(l, slot);
                else
                        drop(l, slot);
        }
        if (event_pending(&l->backoff, EV_TIMEOUT, NULL) || (l->pool->draining && l->lane.count == 0))
                return;
        while ((slot = slots_want(&l->slots)))
                make(l, slot);
}

static void failed(struct language *l)
{
        l->stats.failures++;
        l->backoff_us = l->backoff_us ? 2 * l->backoff_us : BACKOFF_FIRST_US;
        if (l->backoff_us > BACKOFF_MAX_US)
                l->backoff_us = BACKOFF_MAX_US;
        struct timeval delay = clock_delay(l->backoff_us);
        event_add(&l->backoff, &delay);
}

/* ---------------------------------------------------------------- slots come back */

void language_return(struct language *l, struct slot *slot)
{
        slot->run = NULL;
        kill_sandbox(l, slot);
        close_fds(slot);
}

void language_recycle(struct language *l, struct slot *slot, bool discard)
{
        slot->run = NULL;
        close_fds(slot);
        if (discard) {
                l->stats.discarded++;
                slot->dropping = true;
                drop(l, slot);
                language_kick(l);
                return;
        }
        move(l, slot, SLOT_EMPTY);
        language_kick(l);
        if (slot->state == SLOT_EMPTY && slot->alive)
                language_order(l, slot, ORDER_CLEAR,
                               -1); /* enough are warm: its files need not wait for the next one */
}

/* ---------------------------------------------------------------- reports */

static int on_hello(struct language *l, const struct report *report)
{
        l->known = l->serves = true;
        snprintf(l->version, sizeof l->version, "%.*s", (int)sizeof report->hello.version, report->hello.version);
        snprintf(l->main_file, sizeof l->main_file, "%.*s", (int)sizeof report->hello.main_file,
                 report->hello.main_file);
        snprintf(l->aliases, sizeof l->aliases, "%.*s", (int)sizeof report->hello.aliases, report->hello.aliases);
        log_debug(&l->pool->log, "%s %s: a zygote is here", l->name, l->version);
        language_kick(l);
        return 0;
}

static int on_warm(struct language *l, struct slot *slot, const struct report *report, const int *fds, struct err *e)
{
        int64_t now = clock_us(), began = slot->since_us;

        int r = slots_move(&l->slots, slot, SLOT_WARM, now, e);
        if (r < 0)
                return r;
        memcpy(slot->fd, fds, sizeof slot->fd);
        slot->warm_us = now;
        slot->cpu_base_us = report->warm.cpu_base_us;
        l->backoff_us = 0;
        if (slot->recycled)
                stats_recycled(&l->stats, now - began);
        if (!l->was_full && l->slots.count[SLOT_WARM] >= l->slots.warm) {
                l->was_full = true;
                pool_language_ready(l->pool);
        }
        language_kick(l);
        return 0;
}

static int on_limited(struct language *l, struct slot *slot, const struct report *report, struct err *e)
{
        (void)report;
        (void)l;
        if (slot->state == SLOT_DYING)
                return 0; /* its run was cancelled meanwhile */
        if (slot->state != SLOT_RUNNING || !slot->run || !run_is_limiting(slot->run))
                return err_say(e, EPROTO, "limits were set that nobody asked for");
        run_limited(slot->run);
        return 0;
}

static int on_exited(struct language *l, struct slot *slot, const struct report *report, struct err *e)
{
        bool was_warm = slot->state == SLOT_WARM;

        if (slot->state == SLOT_DYING && !slot->dropping && !slot->run) {
                language_recycle(l, slot, report->exited.unproved);
                return 0;
        }
        int r = slots_move(&l->slots, slot, SLOT_DYING, clock_us(), e);
        if (r < 0)
                return r;
        if (slot->run) {
                run_exited(slot->run, report);
                return 0;
        }
        if (was_warm) {
                log_warn(&l->pool->log, "%s: a waiting sandbox died (wait status 0x%x)", l->name,
                         (unsigned)report->exited.wait_status);
                failed(l);
        }
        language_recycle(l, slot, report->exited.unproved);
        return 0;
}

static int on_dropped(struct language *l, struct slot *slot, const struct report *report, struct err *e)
{
        (void)report;
        (void)e;
        if (!slot->dropping)
                return 0; /* an idle slot: it was counted off when the order went out */
        slots_gone(&l->slots, slot);
        move(l, slot, SLOT_EMPTY);
        language_kick(l);
        return 0;
}

static int on_failed(struct language *l, struct slot *slot, const struct report *report, struct err *e)
{
        (void)e;
        struct run *run = slot->run;

        log_warn(&l->pool->log, "%s: slot %u: %.*s: %s", l->name, slot->number, CHANNEL_STEP_SIZE, report->failed.step,
                 strerror(report->failed.error < 0 ? -report->failed.error : report->failed.error));
        slot->run = NULL;
        if (slot->state != SLOT_EMPTY)
                move(l, slot, SLOT_EMPTY);
        slots_gone(&l->slots, slot);
        failed(l);
        if (run)
                run_slot_failed(run);
        close_fds(slot);
        language_kick(l);
        return 0;
}

static int about_slot(struct language *l, const struct report *report, const int *fds, struct err *e)
{
        struct slot *slot = &l->slots.slot[report->slot];

        switch (report->kind) {
        case REPORT_WARM:
                return on_warm(l, slot, report, fds, e);
        case REPORT_LIMITED:
                return on_limited(l, slot, report, e);
        case REPORT_EXITED:
                return on_exited(l, slot, report, e);
        case REPORT_DROPPED:
                return on_dropped(l, slot, report, e);
        case REPORT_FAILED:
                return on_failed(l, slot, report, e);
        default:
                return err_say(e, EPROTO, "a report of no kind (%u)", report->kind);
        }
}

int language_report(struct language *l, const struct report *report, const int *fds, size_t n_fds, struct err *e)
{
        bool is_hello = report->kind == REPORT_HELLO;
        int r = 0, kept = 0;

        if (n_fds != (report->kind == REPORT_WARM ? (size_t)CHANNEL_WARM_FDS : 0))
                r = err_say(e, EPROTO, "a report of kind %u with %zu descriptors", report->kind, n_fds);
        else if (is_hello == l->serves)
                r = err_say(e, EPROTO, is_hello ? "a second hello" : "a report before the hello");
        else if (!is_hello && report->slot >= CHANNEL_MAX_SLOTS)
                r = err_say(e, EPROTO, "a report about slot %u", report->slot);
        else if (is_hello)
                r = on_hello(l, report);
        else if (l->slots.slot[report->slot].sandbox == report->sandbox) {
                r = about_slot(l, report, fds, e);
                kept = r == 0;
        } /* else it is late: about a sandbox that was given up */

        for (size_t i = 0; !kept && i < n_fds; i++)
                close(fds[i]);
        return r;
}

/* ---------------------------------------------------------------- zygotes come and go */

void language_adopt(struct language *l, int sock)
{
        struct err e = { 0 };

        if (zygote_is_open(&l->zygote))
                language_lost(l, "another takes its place");
        if (zygote_open(&l->zygote, sock, &e) < 0)
                log_error(&l->pool->log, "%s: %s", l->name, e.text);
}

void language_lost(struct language *l, const char *why)
{
        if (l->pool->closing)
                log_debug(&l->pool->log, "%s: the zygote is gone: %s", l->name, why);
        else
                log_warn(&l->pool->log, "%s: the zygote is gone: %s", l->name, why);

        zygote_close(&l->zygote);
        l->serves = false;
        event_del(&l->backoff);
        l->backoff_us = 0;
        for (uint32_t i = 0; i < CHANNEL_MAX_SLOTS; i++) {
                struct slot *slot = &l->slots.slot[i];
                struct run *run = slot->run;

                slot->run = NULL;
                if (slot->state != SLOT_EMPTY)
                        move(l, slot, SLOT_EMPTY);
                slots_gone(&l->slots, slot);
                if (run)
                        run_zygote_lost(run);
                close_fds(slot);
        }
}
