/* The life and the pulse of a zygote: see zygote.h. */
#include "pool/link/zygote.h"

#include "pool/link/zygote_parts.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"

#include <errno.h>

enum {
        PING_TICKS = 3, /* ticks of silence, after which a ping tells a silent zygote from a silent slot */

        /* A zygote that owes answers counts as hanging after so much processor time, which is longer than it waits for
         * an init; and after so many ticks in any case. */
        SILENT_US = 10500000,
        SILENT_TICKS = 120,

        /* For a silent slot of a zygote that answers about other slots. The zygote itself gives up sooner, since it
         * knows how much processor time the sandbox was given (zygote/tenant_overdue.c). */
        STUCK_TICKS = 45,
        MAKING_TICKS = 150,
        PRESTART_TICKS = 540, /* if a program is started ahead in the sandbox, which may be a large one */
};

/* ---------------------------------------------------------------- beginning and end */

static void on_end(void *owner, const char *why)
{
        struct zygote *z = owner;
        z->ops->ended(z, why);
}

static void on_backoff(void *owner)
{
        struct zygote *z = owner;
        z->not_before_us = 0;
        z->ops->changed(z);
}

int zygote_new(struct zygote **out, const struct zygote_options *options, int sock, struct err *e)
{
        OWN_FD int owned = sock;
        struct zygote *z = calloc(1, sizeof *z);
        if (!z)
                return err_set(e, ENOMEM, "a zygote");
        *z = (struct zygote){
                .ops = options->ops,
                .owner = options->owner,
                .base = options->base,
                .log = options->log,
                .name = options->name,
                .end = { .on_report = zygote_report, .on_end = on_end, .owner = z, .sock = -1 },
                .generation = options->generation,
                .load = -1,
                .born_us = clock_us(),
        };
        int r = slots_init(&z->slots, z, e);
        if (r == 0 && timer_init(&z->backoff, z->base, LOOP_REPORTS, on_backoff, z) < 0)
                r = err_say(e, EIO, "a timer");
        if (r == 0)
                r = channel_end_open(&z->end, z->base, own_steal_fd(&owned), e);
        if (r < 0) {
                slots_fini(&z->slots);
                free(z);
                return r;
        }
        *out = z;
        return 0;
}

void zygote_free(struct zygote *z)
{
        channel_end_close(&z->end);
        own_close(&z->load);
        timer_stop(&z->backoff);
        for (uint32_t i = 0; i < CHANNEL_MAX_SLOTS; i++) {
                struct slot *slot = &z->slots.slot[i];
                struct slot_holder *h = slot_take_away(slot);

                if (h)
                        h->ops->lost(h);
                slot_close_fds(slot);
        }
        slots_fini(&z->slots);
        free(z);
}

void zygote_drain(struct zygote *z)
{
        const struct order drain = { .kind = ORDER_DRAIN };

        if (z->drained)
                return;
        z->drained = true;
        channel_end_order(&z->end, &drain, -1);
}

void zygote_retire(struct zygote *z)
{
        z->phase = ZYGOTE_RETIRING;
        timer_stop(&z->backoff);
        zygote_kick(z);
}

/* ---------------------------------------------------------------- the wanted number of sandboxes */

static void kick_retiring(struct zygote *z)
{
        struct slot *slot;

        while ((slot = TAILQ_FIRST(&z->slots.waiting)))
                zygote_kill(z, slot);
        if (z->slots.count[SLOT_EMPTY] == CHANNEL_MAX_SLOTS)
                zygote_drain(z);
}

void zygote_kick(struct zygote *z)
{
        struct slot *slot;

        if (!z->greeted || z->drained)
                return;
        if (z->phase == ZYGOTE_RETIRING) {
                kick_retiring(z);
                return;
        }
        while ((slot = slots_surplus(&z->slots))) {
                if (slot->state == SLOT_WARM)
                        zygote_kill(z, slot);
                else
                        zygote_drop(z, slot);
        }
        if (z->idle || (z->not_before_us > 0 && clock_us() < z->not_before_us))
                return;
        while ((slot = slots_want(&z->slots)))
                zygote_make(z, slot);
}

/* ---------------------------------------------------------------- the pulse */

/* Gives up a slot: the zygote answers about other slots, but not about this one. */
static void give_up(struct zygote *z, struct slot *slot)
{
        struct slot_holder *h = slot_take_away(slot);

        log_error(z->log, "%s: the zygote does not answer about slot %u, which is given up", z->name, slot->number);
        if (slot->state != SLOT_DYING)
                slots_must_move(&z->slots, slot, SLOT_DYING, clock_us());
        z->ops->discarded(z);
        zygote_drop(z, slot);
        if (h)
                h->ops->failed(h, "its zygote does not answer about it");
        slot_close_fds(slot);
}

static void ping(struct zygote *z)
{
        const struct order order = { .kind = ORDER_PING };
        channel_end_order(&z->end, &order, -1);
}

static void tell_holders(struct zygote *z)
{
        for (uint32_t i = 0; i < CHANNEL_MAX_SLOTS && z->slots.busy > 0; i++) {
                struct slot_holder *h = z->slots.slot[i].holder;
                if (h)
                        h->ops->goes_on(h);
        }
}

/* Does the zygote hang? A zygote that is ready to run, but gets no processor, does not hang. */
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
        unsigned owed = slots_tick(&z->slots, STUCK_TICKS, z->prestarted ? PRESTART_TICKS : MAKING_TICKS, &stuck);
        bool silent = is_silent(z, owed > 0 || z->drained);

        tell_holders(z);
        z->heard = false;
        if (silent)
                return "it does not answer";
        /* Sandboxes that are being made have limits of their own. */
        if (z->phase == ZYGOTE_COMING && z->slots.count[SLOT_PREPARING] == 0 &&
            ++z->coming_ticks >= ZYGOTE_COMING_TICKS)
                return "it does not come up";
        if (!stuck)
                return NULL;
        give_up(z, stuck);
        z->ops->changed(z);
        return NULL;
}
