/* Orders about slots, and the calls of their holders: see zygote.h. */
#include "pool/base/invariant.h"
#include "pool/link/zygote_parts.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"

/* ---------------------------------------------------------------- orders */

/* The zygote reports nothing about these orders. */
static bool owes_no_answer(enum order_kind kind)
{
        return kind == ORDER_COLLECT || kind == ORDER_CLEAR || kind == ORDER_SIGNAL;
}

void slot_order(struct slot *slot, enum order_kind kind, int fd)
{
        struct order order = {
                .kind = kind,
                .slot = slot->number,
                .sandbox = slot->sandbox,
                .memory_bytes = slot->memory_bytes,
                .disk_bytes = slot->disk_bytes,
                .pids = slot->pids,
                .urgent = kind == ORDER_MAKE && slot->urgent,
                .signal = kind == ORDER_SIGNAL ? (uint32_t)slot->signal : 0,
                .terminal = kind == ORDER_MAKE && slot->state == SLOT_REMAKING,
        };
        if (!owes_no_answer(kind))
                slot_owe(slot);
        if (kind == ORDER_LIMIT)
                slot->limiting = true;
        channel_end_order(&slot->zygote->end, &order, fd);
}

static void move(struct zygote *z, struct slot *slot, enum slot_state to)
{
        slots_must_move(&z->slots, slot, to, clock_us());
}

void zygote_make(struct zygote *z, struct slot *slot)
{
        z->ops->making(z, slot);
        slot->recycled = slot->alive;
        z->forks++;
        move(z, slot, SLOT_PREPARING);
        slot_order(slot, ORDER_MAKE, -1);
}

void zygote_kill(struct zygote *z, struct slot *slot)
{
        move(z, slot, SLOT_DYING);
        slot_order(slot, ORDER_KILL, -1);
}

void zygote_drop(struct zygote *z, struct slot *slot)
{
        slot->dropping = slot->state == SLOT_DYING;
        slot_order(slot, ORDER_DROP, -1);
        if (slot->state == SLOT_EMPTY)
                slots_gone(&z->slots, slot);
}

/* ---------------------------------------------------------------- holders */

void slot_close_fds(struct slot *slot)
{
        for (size_t i = 0; i < CHANNEL_WARM_FDS; i++) {
                own_close(&slot->fd[i]);
                slot->fd[i] = -1;
        }
}

void slot_hold(struct slot *slot, struct slot_holder *h)
{
        INVARIANT(slot->state == SLOT_RUNNING && !slot->holder, "slot %u gets a holder in state %d, or has one already",
                  slot->number, (int)slot->state);
        slot->holder = h;
        slot->limiting = false;
}

struct slot_holder *slot_take_away(struct slot *slot)
{
        struct slot_holder *h = slot->holder;
        slot->holder = NULL;
        slot->limiting = false;
        return h;
}

void slot_desert(struct slot *slot)
{
        slot_take_away(slot);
}

void slot_return(struct slot *slot)
{
        slot_take_away(slot);
        zygote_kill(slot->zygote, slot);
        slot_close_fds(slot);
}

void slot_remake(struct slot *slot)
{
        struct zygote *z = slot->zygote;

        slot_close_fds(slot);
        move(z, slot, SLOT_REMAKING);
        z->ops->making(z, slot);
        slot->recycled = true;
        slot->replaces = false;
        slot->urgent = true;
        z->forks++;
        slot_order(slot, ORDER_MAKE, -1);
}

void slot_recycle(struct slot *slot, bool discard)
{
        struct zygote *z = slot->zygote;

        slot_take_away(slot);
        if (slot->freed_us == 0) /* there is no time of an answer, because the sandbox had no run */
                slot->freed_us = clock_us();
        slot_close_fds(slot);
        if (discard) {
                z->ops->discarded(z);
                zygote_drop(z, slot);
                z->ops->changed(z);
                return;
        }
        move(z, slot, SLOT_EMPTY);
        z->ops->changed(z);
        if (slot->state == SLOT_EMPTY && slot->alive && !z->drained) /* enough are warm, so its files are removed now */
                slot_order(slot, ORDER_CLEAR, -1);
}
