/* The state machine of slots: see slot.h. */
#include "pool/link/slot.h"

#include "pool/base/invariant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_name[SLOT_STATES] = {
        [SLOT_EMPTY] = "empty",     [SLOT_PREPARING] = "preparing", [SLOT_WARM] = "warm",
        [SLOT_RUNNING] = "running", [SLOT_DYING] = "dying",         [SLOT_REMAKING] = "remaking",
};

#define TO(state) (1u << SLOT_##state)

/* Every state but EMPTY has an arrow to EMPTY, because the slot may fail, or the zygote die, at any time. */
static const unsigned arrows[SLOT_STATES] = {
        [SLOT_EMPTY] = TO(PREPARING),
        [SLOT_PREPARING] = TO(WARM) | TO(DYING) | TO(EMPTY),
        [SLOT_WARM] = TO(RUNNING) | TO(DYING) | TO(EMPTY),
        [SLOT_RUNNING] = TO(DYING) | TO(EMPTY),
        [SLOT_DYING] = TO(REMAKING) | TO(EMPTY),
        [SLOT_REMAKING] = TO(RUNNING) | TO(DYING) | TO(EMPTY),
};

int slots_init(struct slots *s, struct zygote *zygote, struct err *e)
{
        *s = (struct slots){ .slot = calloc(CHANNEL_MAX_SLOTS, sizeof *s->slot) };
        if (!s->slot)
                return err_set(e, ENOMEM, "a table of slots");
        TAILQ_INIT(&s->empty);
        TAILQ_INIT(&s->waiting);
        for (uint32_t i = 0; i < CHANNEL_MAX_SLOTS; i++) {
                struct slot *slot = &s->slot[i];
                slot->zygote = zygote;
                slot->number = i;
                memset(slot->fd, -1, sizeof slot->fd);
                TAILQ_INSERT_TAIL(&s->empty, slot, link);
        }
        s->count[SLOT_EMPTY] = CHANNEL_MAX_SLOTS;
        return 0;
}

void slots_fini(struct slots *s)
{
        free(s->slot);
        s->slot = NULL;
}

static void leave(struct slots *s, struct slot *slot)
{
        if (slot->state == SLOT_EMPTY)
                TAILQ_REMOVE(&s->empty, slot, link);
        else if (slot->state == SLOT_WARM)
                TAILQ_REMOVE(&s->waiting, slot, link);
        INVARIANT(s->count[slot->state] > 0, "slot %u is %s, but the count of such slots is 0", slot->number,
                  state_name[slot->state]);
        s->count[slot->state]--;
}

static void enter(struct slots *s, struct slot *slot, enum slot_state to, int64_t now_us)
{
        slot->state = to;
        slot->since_us = now_us;
        s->count[to]++;
        if (to == SLOT_RUNNING && !slot->busy) {
                slot->busy = true;
                s->busy++;
        } else if (to == SLOT_EMPTY && slot->busy) {
                slot->busy = false;
                INVARIANT(s->busy > 0, "slot %u had a job, but the count of such slots is 0", slot->number);
                s->busy--;
        }
        if (to == SLOT_WARM) {
                TAILQ_INSERT_TAIL(&s->waiting, slot, link);
        } else if (to == SLOT_EMPTY) {
                if (slot->alive)
                        TAILQ_INSERT_HEAD(&s->empty, slot, link);
                else
                        TAILQ_INSERT_TAIL(&s->empty, slot, link);
        } else if (to == SLOT_PREPARING && !slot->alive) {
                slot->alive = true;
                s->alive++;
        }
}

int slots_move(struct slots *s, struct slot *slot, enum slot_state to, int64_t now_us, struct err *e)
{
        if (!(arrows[slot->state] & 1u << to))
                return err_say(e, EPROTO, "slot %u is %s and can't become %s", slot->number, state_name[slot->state],
                               state_name[to]);
        leave(s, slot);
        enter(s, slot, to, now_us);
        return 0;
}

void slots_must_move(struct slots *s, struct slot *slot, enum slot_state to, int64_t now_us)
{
        struct err e = { 0 };
        int r = slots_move(s, slot, to, now_us, &e);
        INVARIANT(r == 0, "%s", e.text);
}

void slots_gone(struct slots *s, struct slot *slot)
{
        slot->dropping = false;
        if (!slot->alive)
                return;
        slot->alive = false;
        INVARIANT(s->alive > 0, "slot %u was alive, but the count of such slots is 0", slot->number);
        s->alive--;
        if (slot->state == SLOT_EMPTY) {
                TAILQ_REMOVE(&s->empty, slot, link);
                TAILQ_INSERT_TAIL(&s->empty, slot, link);
        }
}

unsigned slots_coming(const struct slots *s)
{
        return s->count[SLOT_WARM] + s->count[SLOT_PREPARING];
}

struct slot *slots_want(struct slots *s)
{
        unsigned wanted = s->demand > s->warm ? s->demand : s->warm;

        if (slots_coming(s) >= wanted || s->count[SLOT_PREPARING] >= s->at_once)
                return NULL;

        struct slot *slot = TAILQ_FIRST(&s->empty);
        if (!slot || (!slot->alive && s->alive >= s->warm + s->running))
                return NULL;
        return slot;
}

struct slot *slots_ready(struct slots *s)
{
        if (s->busy >= s->running)
                return NULL;
        return TAILQ_FIRST(&s->waiting);
}

int64_t slot_making_us(const struct slot *slot, uint64_t cpu_base_us)
{
        bool goes_on = slot->recycled && cpu_base_us >= slot->cpu_end_us;
        uint64_t took = goes_on ? cpu_base_us - slot->cpu_end_us : cpu_base_us;
        return took > INT32_MAX ? INT32_MAX : (int64_t)took;
}

void slot_owe(struct slot *slot)
{
        slot->owed = true;
        slot->owed_ticks = 0;
}

void slot_paid(struct slot *slot)
{
        slot->owed = false;
}

unsigned slots_tick(struct slots *s, unsigned max, unsigned max_making, struct slot **stuck)
{
        unsigned n = 0, longest = 0;

        *stuck = NULL;
        for (uint32_t i = 0; i < CHANNEL_MAX_SLOTS; i++) {
                struct slot *slot = &s->slot[i];
                if (!slot->owed)
                        continue;
                n++;
                slot->owed_ticks++;
                /* A slot that is being dropped is never stuck: dropping takes as long as the slot's processes take to
                 * die. */
                bool made = slot->state == SLOT_PREPARING || slot->state == SLOT_REMAKING;
                if (slot->owed_ticks < (made ? max_making : max) || slot->owed_ticks <= longest || slot->dropping ||
                    slot->state == SLOT_EMPTY)
                        continue;
                longest = slot->owed_ticks;
                *stuck = slot;
        }
        return n;
}

struct slot *slots_surplus(struct slots *s)
{
        if (s->count[SLOT_WARM] > s->warm)
                return TAILQ_FIRST(&s->waiting);
        struct slot *slot = TAILQ_FIRST(&s->empty);
        if (slot && slot->alive && s->alive > s->warm + s->kept)
                return slot;
        return NULL;
}
