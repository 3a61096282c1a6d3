/* The pool's orders, and the states in which they are allowed: see serve_parts.h. */
#include "proto/base/clock.h"
#include "zygote/serve_parts.h"

#include <errno.h>
#include <inttypes.h>

/* Gives up the slot and makes it anew, because leftovers of its last run stay in the parts that it keeps. */
static int retire(struct serve *s, const struct order *next, struct err *e)
{
        const struct report retired = { .kind = REPORT_RETIRED, .slot = next->slot, .sandbox = next->sandbox };
        struct tenant *sb = &s->at[next->slot];
        sb->remake = true;
        sb->remake_order = *next;
        log_info(s->log, "slot %u: sockets or locks of its last run stay, so the slot is made anew", next->slot);
        int r = serve_report(s, &retired, NULL, 0, e);
        return r < 0 ? r : serve_let_go(s, next->slot, &(const struct report){ .kind = 0 }, e);
}

int serve_make(struct serve *s, const struct order *o, int fd, struct err *e)
{
        struct tenant *sb = &s->at[o->slot];
        const char *step = "";
        struct err why = { 0 };
        (void)fd;

        if (sb->state == TENANT_DEAD && !sb->collecting)
                tenant_clear(sb);
        bool later = sb->state == TENANT_GOING || sb->collecting || sb->releasing;
        if (!later && shelves_are_full(&s->maker->shelves))
                later = s->starved = true;
        enum tenant_rest rest = later || sb->init_lost ? TENANT_RESTS : tenant_rest(sb, s->maker);
        if (rest == TENANT_STAYS)
                return retire(s, o, e);
        if (rest == TENANT_WAITS) {
                if (!s->resting)
                        s->next_rest_ms = clock_ms() + REST_LOOK_MS;
                later = s->resting = true;
        }
        if (later || sb->init_lost) { /* carried out when the slot is gone, or its wait is over */
                sb->remake = true;
                sb->remake_order = *o;
        }
        if (later)
                return 0;
        if (sb->init_lost) /* no process can be forked into its pid namespace any more */
                return serve_let_go(s, o->slot, &(const struct report){ .kind = 0 }, e);
        bool fresh = !sb->cell;
        int r = tenant_make(sb, s->maker, o, &step, &why);
        if (r == 0)
                r = serve_watch(s, sb->pidfd, SOURCE_PROCESS, o->slot, &why);
        if (r == 0 && fresh)
                r = serve_watch(s, sb->cell->init_sock, SOURCE_INIT, o->slot, &why);
        if (r == 0)
                return 0;
        log_warn(s->log, "slot %u: %s: %s", o->slot, step, why.text);
        return serve_fail(s, o->slot, o->sandbox, step, r, e);
}

/* Carries out the orders that wait for a shelf, as long as shelves are free. */
int serve_make_starved(struct serve *s, struct err *e)
{
        int r = 0;
        for (uint32_t slot = 0; slot < CHANNEL_MAX_SLOTS && s->starved && r == 0; slot++) {
                struct tenant *sb = &s->at[slot];
                if (!sb->remake || sb->state == TENANT_GOING || sb->collecting || sb->releasing)
                        continue;
                if (shelves_are_full(&s->maker->shelves))
                        return 0;
                const struct order next = sb->remake_order;
                r = serve_make(s, &next, -1, e);
        }
        s->starved = false;
        return r;
}

/* Tries the orders again whose slots wait for leftovers in the kernel. */
int serve_make_rested(struct serve *s, struct err *e)
{
        int r = 0;
        if (!s->resting || clock_ms() < s->next_rest_ms)
                return 0;
        s->resting = false;
        for (uint32_t slot = 0; slot < CHANNEL_MAX_SLOTS && r == 0; slot++) {
                const struct order next = s->at[slot].remake_order;
                if (s->at[slot].state == TENANT_DEAD && s->at[slot].remake && s->at[slot].left_ms > 0)
                        r = serve_make(s, &next, -1, e);
        }
        return r;
}

static int order_limit(struct serve *s, const struct order *o, int fd, struct err *e)
{
        struct report done = { .kind = REPORT_LIMITED, .slot = o->slot, .sandbox = o->sandbox };
        struct err why = { 0 };
        (void)fd;

        int r = tenant_limit(&s->at[o->slot], s->maker, o, &why);
        if (r == 0)
                return serve_report(s, &done, NULL, 0, e);
        log_warn(s->log, "slot %u: %s", o->slot, why.text);
        return serve_fail(s, o->slot, o->sandbox, "limits", r, e);
}

static int order_kill(struct serve *s, const struct order *o, int fd, struct err *e)
{
        (void)fd, (void)e;
        tenant_kill(&s->at[o->slot]);
        return 0;
}

static int order_signal(struct serve *s, const struct order *o, int fd, struct err *e)
{
        struct err why = { 0 };
        (void)fd, (void)e;
        if (tenant_signal(&s->at[o->slot], (int)o->signal, &why) < 0)
                log_warn(s->log, "slot %u: %s", o->slot, why.text);
        return 0;
}

static int order_collect(struct serve *s, const struct order *o, int fd, struct err *e)
{
        struct err why = { 0 };
        (void)e;
        if (fd < 0) /* the socket was lost on its way here */
                log_warn(s->log, "slot %u: collecting files: no descriptor is left", o->slot);
        else if (tenant_collect(&s->at[o->slot], fd, &why) < 0)
                log_warn(s->log, "slot %u: collecting files: %s", o->slot,
                         why.text); /* the pool sees its socket close */
        return 0;
}

static int order_clear(struct serve *s, const struct order *o, int fd, struct err *e)
{
        (void)fd, (void)e;
        tenant_clear(&s->at[o->slot]);
        return 0;
}

static int order_drop(struct serve *s, const struct order *o, int fd, struct err *e)
{
        struct report done = { .kind = REPORT_DROPPED, .slot = o->slot, .sandbox = o->sandbox };
        (void)fd;
        s->at[o->slot].remake = false;
        return serve_let_go(s, o->slot, &done, e);
}

static int order_drain(struct serve *s, const struct order *o, int fd, struct err *e)
{
        (void)o, (void)fd, (void)e;
        s->done = true;
        return 0;
}

static int order_ping(struct serve *s, const struct order *o, int fd, struct err *e)
{
        struct report pong = { .kind = REPORT_PONG };
        (void)o, (void)fd;
        return serve_report(s, &pong, NULL, 0, e);
}

/* The closed list of orders. An order may come in a state that its row does not name for two reasons: its sandbox has
 * died meanwhile, which the sandbox's number shows, or the pool is broken. */
struct order_row {
        const char *name;
        unsigned states; /* bits of enum tenant_state */
        unsigned n_fds;
        bool same_sandbox; /* the order is for the present sandbox, not for the next one */
        bool has_limits;
        int (*carry_out)(struct serve *s, const struct order *o, int fd, struct err *e);
};

#define IN(state) (1u << TENANT_##state)

static const struct order_row order_table[] = {
        [ORDER_MAKE] = { "make", IN(NONE) | IN(DEAD) | IN(GOING), 0, false, true, serve_make },
        [ORDER_LIMIT] = { "limit", IN(ALIVE), 0, true, true, order_limit },
        [ORDER_KILL] = { "kill", IN(BOOTING) | IN(ALIVE), 0, true, false, order_kill },
        [ORDER_COLLECT] = { "collect", IN(DEAD), 1, true, false, order_collect },
        [ORDER_CLEAR] = { "clear", IN(DEAD), 0, true, false, order_clear },
        [ORDER_DROP] = { "drop", IN(NONE) | IN(BOOTING) | IN(ALIVE) | IN(REAPING) | IN(DEAD) | IN(GOING), 0, false,
                         false, order_drop },
        [ORDER_SIGNAL] = { "signal", IN(ALIVE), 0, true, false, order_signal },
        [ORDER_DRAIN] = { "drain", ~0u, 0, false, false, order_drain },
        [ORDER_PING] = { "ping", ~0u, 0, false, false, order_ping },
};

/* Checks the order's own contents, in any state of its slot. */
static int check_order(const struct serve *s, const struct order_row *row, const struct order *o, struct err *e)
{
        const bool signals = o->kind == ORDER_SIGNAL;
        const bool makes = o->kind == ORDER_MAKE;
        if (o->urgent > makes || o->terminal > makes || signals != (o->signal != 0) || o->signal > CHANNEL_MAX_SIGNAL)
                return err_say(e, EPROTO, "the pool sent the order %s with fields that this order does not have",
                               row->name);
        if (makes && o->sandbox <= s->last_sandbox)
                return err_say(e, EPROTO, "the pool numbered two sandboxes %" PRIu64 " and then %" PRIu64,
                               s->last_sandbox, o->sandbox);
        return row->has_limits ? ceilings_check(&s->ceilings, o, e) : 0;
}

int serve_on_order(struct serve *s, const struct order *o, int fd, size_t n_fds, struct err *e)
{
        if (o->kind < ORDER_MAKE || o->kind > ORDER_SIGNAL || o->slot >= CHANNEL_MAX_SLOTS)
                return err_say(e, EPROTO, "the pool sent order %u for slot %u, and one of them does not exist", o->kind,
                               o->slot);
        const struct order_row *row = &order_table[o->kind];
        struct tenant *sb = &s->at[o->slot];

        if (n_fds != 0 && n_fds != row->n_fds)
                return err_say(e, EPROTO, "the pool sent the order %s with %zu descriptors", row->name, n_fds);
        int r = check_order(s, row, o, e);
        if (r < 0)
                return r;
        if (row->same_sandbox && (sb->state == TENANT_NONE || sb->id != o->sandbox))
                return 0; /* late */
        if (!(row->states & 1u << sb->state)) {
                if (row->same_sandbox)
                        return 0; /* the sandbox died meanwhile; the pool gets that report first */
                return err_say(e, EPROTO, "the pool sent the order %s for slot %u in state %d", row->name, o->slot,
                               (int)sb->state);
        }
        if (o->kind == ORDER_MAKE)
                s->last_sandbox = o->sandbox;
        return row->carry_out(s, o, fd, e);
}
