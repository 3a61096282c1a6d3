/* Turns: see turns.h. */
#include "pool/native/turns.h"

#include "proto/base/clock.h"

#include <errno.h>
#include <stddef.h>

enum {
        ROUND_US = 1000,         /* the time of a round of short turns; a piece of a large turn follows */
        BYTES_PER_WAITED_US = 2, /* smaller requests go before one of 16 MiB if they come up to 8 s later */
};

static struct turn *turn_of(struct heap_node *node)
{
        return (struct turn *)(void *)((char *)node - offsetof(struct turn, node));
}

/* Has on_turns called by the loop. A timer of 0 is used, not event_active: with event_active the loop would call it
 * again before it handles anything else. */
static void call(struct turns *t)
{
        const struct timeval at_once = { 0 };
        if (!event_pending(&t->event, EV_TIMEOUT, NULL) && event_add(&t->event, &at_once) < 0)
                event_active(&t->event, EV_TIMEOUT, 1); /* event_active needs no memory, so it can't fail */
}

static void take_short(struct turns *t)
{
        const int64_t end = clock_us() + ROUND_US;
        struct turn *turn;

        while ((turn = TAILQ_FIRST(&t->line))) {
                turns_leave(t, turn);
                turn->take(turn->owner);
                if (clock_us() >= end)
                        break;
        }
}

static void take_large(struct turns *t)
{
        if (!t->begun && t->large.top) {
                t->begun = turn_of(t->large.top);
                heap_remove(&t->large, &t->begun->node);
        }
        struct turn *turn = t->begun;
        if (turn && !turn->take(turn->owner) && t->begun == turn)
                t->begun = NULL;
}

static void on_turns(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct turns *t = arg;

        take_short(t);
        take_large(t);
        if (!TAILQ_EMPTY(&t->line) || t->begun || t->large.top)
                call(t);
}

int turns_init(struct turns *t, struct event_base *base, struct err *e)
{
        *t = (struct turns){ 0 };
        TAILQ_INIT(&t->line);
        return evtimer_assign(&t->event, base, on_turns, t) < 0 ? err_say(e, EIO, "a timer") : 0;
}

void turns_fini(struct turns *t)
{
        event_del(&t->event);
}

void turns_wait(struct turns *t, struct turn *turn)
{
        if (turn->waits)
                return;
        turn->waits = true;
        TAILQ_INSERT_TAIL(&t->line, turn, link);
        call(t);
}

void turns_wait_large(struct turns *t, struct turn *turn, size_t bytes)
{
        if (heap_has(&turn->node) || t->begun == turn)
                return;
        heap_insert(&t->large, &turn->node, clock_us() + (int64_t)(bytes / BYTES_PER_WAITED_US));
        call(t);
}

void turns_leave(struct turns *t, struct turn *turn)
{
        if (turn->waits)
                TAILQ_REMOVE(&t->line, turn, link);
        turn->waits = false;
        heap_remove(&t->large, &turn->node);
        if (t->begun == turn)
                t->begun = NULL;
}
