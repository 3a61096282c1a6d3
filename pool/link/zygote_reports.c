/* Handling a zygote's reports: see zygote.h. */
#include "pool/link/zygote_parts.h"
#include "proto/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
        /* After a failure the next sandbox is ordered after a delay, which doubles with each further failure. Ordering
         * again at once does not help on a host that has run out of some resource. */
        BACKOFF_FIRST_US = 50000,
        BACKOFF_MAX_US = 5000000,
};

/* A sandbox could not be made, or was lost while it waited. Negative: too many failures. */
static int failed(struct zygote *z, struct err *e)
{
        z->failures++;
        z->backoff_us = z->backoff_us ? 2 * z->backoff_us : BACKOFF_FIRST_US;
        if (z->backoff_us > BACKOFF_MAX_US)
                z->backoff_us = BACKOFF_MAX_US;
        z->not_before_us = clock_us() + z->backoff_us;
        if (timer_set(&z->backoff, z->backoff_us) < 0)
                log_warn(z->log, "%s: a timer can't be set; the next tick orders the sandbox instead", z->name);
        z->ops->failed(z);
        if (z->phase == ZYGOTE_COMING && z->failures >= ZYGOTE_MAX_FAILURES)
                return err_say(e, EIO, "%d of its sandboxes failed in a row", ZYGOTE_MAX_FAILURES);
        return 0;
}

/* ---------------------------------------------------------------- sandboxes come */

static int on_warm(struct zygote *z, struct slot *slot, const struct report *report, const int *fds, struct err *e)
{
        int64_t now = clock_us(), ordered_us = slot->since_us;
        bool remade = slot->state == SLOT_REMAKING;

        int r = slots_move(&z->slots, slot, remade ? SLOT_RUNNING : SLOT_WARM, now, e);
        if (r < 0)
                return r;
        slot_paid(slot);
        memcpy(slot->fd, fds, sizeof slot->fd);
        slot->warm_us = now;
        slot->making_us = slot_making_us(slot, report->warm.cpu_base_us);
        slot->cpu_base_us = report->warm.cpu_base_us;
        z->backoff_us = 0;
        z->failures = 0;
        if (!remade)
                z->ops->warmed(z, slot, ordered_us, report);
        slot->freed_us = 0;
        if (remade && slot->holder)
                slot->holder->ops->remade(slot->holder);
        else if (remade) /* the holder does not want it any more */
                slot_return(slot);
        return 0;
}

/* The pool itself is out of descriptors, so the sandbox's descriptors were lost on the way. The sandbox can't be used.
 */
static int on_warm_in_vain(struct zygote *z, struct slot *slot, struct err *e)
{
        static const char why[] = "the pool has no free descriptors for its sandbox";
        int r = slots_move(&z->slots, slot, SLOT_DYING, clock_us(), e);
        if (r < 0)
                return r;
        struct slot_holder *h = slot_take_away(slot);
        log_warn(z->log, "%s: slot %u: %s", z->name, slot->number, why);
        slot_paid(slot);
        zygote_drop(z, slot);
        r = failed(z, e);
        if (h)
                h->ops->failed(h, why);
        return r;
}

static int on_limited(struct slot *slot, struct err *e)
{
        if (slot->state == SLOT_DYING)
                return 0; /* the holder gave the slot back meanwhile */
        if (slot->state != SLOT_RUNNING || !slot->holder || !slot->limiting)
                return err_say(e, EPROTO, "limits were set that nobody asked for");
        slot_paid(slot);
        slot->limiting = false;
        slot->holder->ops->limited(slot->holder);
        return 0;
}

/* ---------------------------------------------------------------- sandboxes go */

static int on_exited(struct zygote *z, struct slot *slot, const struct report *report, struct err *e)
{
        bool was_warm = slot->state == SLOT_WARM;

        slot->cpu_end_us = slot->cpu_base_us + report->exited.cpu_us;
        slot_paid(slot);
        if (slot->state == SLOT_DYING && !slot->holder) {
                slot_recycle(slot, report->exited.unproved);
                return 0;
        }
        int r = slots_move(&z->slots, slot, SLOT_DYING, clock_us(), e);
        if (r < 0)
                return r;
        slot->limiting = false;
        if (slot->holder) {
                slot->holder->ops->exited(slot->holder, report);
                return 0;
        }
        if (was_warm) {
                log_warn(z->log, "%s: a waiting sandbox died (wait status 0x%x)", z->name,
                         (unsigned)report->exited.wait_status);
                r = failed(z, e);
        }
        slot_recycle(slot, report->exited.unproved);
        return r;
}

static void on_dropped(struct zygote *z, struct slot *slot)
{
        slot_paid(slot);
        if (!slot->dropping)
                return; /* a dropped EMPTY slot: slots_gone was called when the order was sent */
        slots_gone(&z->slots, slot);
        slots_must_move(&z->slots, slot, SLOT_EMPTY, clock_us());
}

static int on_failed(struct zygote *z, struct slot *slot, const struct report *report, struct err *e)
{
        struct slot_holder *h = slot_take_away(slot);
        bool had_job = slot->busy;
        char why[128];
        int r = 0;

        snprintf(why, sizeof why, "%.*s: %s", CHANNEL_STEP_SIZE, report->failed.step,
                 strerror(err_told(report->failed.error)));
        log_warn(z->log, "%s: slot %u: %s", z->name, slot->number, why);
        slot_paid(slot);
        if (slot->state != SLOT_EMPTY)
                slots_must_move(&z->slots, slot, SLOT_EMPTY, clock_us());
        slots_gone(&z->slots, slot);
        /* The job may have made its own slot fail, so this failure does not delay other sandboxes. */
        if (had_job)
                z->ops->failed_holder(z);
        else
                r = failed(z, e);
        if (h)
                h->ops->failed(h, why);
        slot_close_fds(slot);
        return r;
}

/* ---------------------------------------------------------------- all reports */

/* Handles a report about a slot. *kept is set if the descriptors were taken over. */
static int about_slot(struct zygote *z, const struct report *report, const int *fds, size_t n_fds, bool *kept,
                      struct err *e)
{
        struct slot *slot = &z->slots.slot[report->slot];
        bool given_up = slot->dropping && (report->kind == REPORT_WARM || report->kind == REPORT_EXITED);
        int r;

        if (slot->sandbox != report->sandbox || given_up)
                return 0; /* the report is late */
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
                z->ops->discarded(z);
                return 0;
        default:
                return err_say(e, EPROTO, "a report of an unknown kind (%u)", report->kind);
        }
}

int zygote_report(void *zygote, const struct report *report, const int *fds, size_t n_fds, struct err *e)
{
        struct zygote *z = zygote;
        bool is_hello = report->kind == REPORT_HELLO, kept = false;
        int r = 0;

        z->heard = true;
        if (n_fds != 0 && n_fds != (report->kind == REPORT_WARM ? (size_t)CHANNEL_WARM_FDS : is_hello ? 1 : 0))
                r = err_say(e, EPROTO, "a report of kind %u with %zu descriptors", report->kind, n_fds);
        else if (is_hello == z->greeted)
                r = err_say(e, EPROTO, is_hello ? "a second hello" : "a report before the hello");
        else if (!is_hello && report->slot >= CHANNEL_MAX_SLOTS) /* the slot is 0 if the report concerns no slot */
                r = err_say(e, EPROTO, "a report about slot %u, which does not exist", report->slot);
        else if (is_hello) {
                z->greeted = true;
                z->ceilings = report->hello.ceilings;
                kept = n_fds == 1;
                if (kept)
                        z->load = fds[0];
                z->ops->greeted(z, report);
        } else if (report->kind == REPORT_PRELOAD) {
                z->ops->preloaded(z, report);
        } else if (report->kind != REPORT_PONG) { /* only the arrival of a pong matters */
                r = about_slot(z, report, fds, n_fds, &kept, e);
        }
        for (size_t i = 0; !kept && i < n_fds; i++)
                close(fds[i]);
        if (r == 0)
                z->ops->changed(z);
        return r;
}
