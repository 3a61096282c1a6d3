/* Accounts of the queue: see account.h. */
#include "pool/sched/account.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- clients */

static int compare(const void *left, const void *right)
{
        const struct account_key *a = left, *b = right;
        uintptr_t peer_a = (uintptr_t)a->peer, peer_b = (uintptr_t)b->peer;
        if (peer_a != peer_b)
                return peer_a < peer_b ? -1 : 1;
        if (a->bytes.len != b->bytes.len)
                return a->bytes.len < b->bytes.len ? -1 : 1;
        return a->bytes.len > 0 ? memcmp(a->bytes.data, b->bytes.data, a->bytes.len) : 0;
}

/* Finds or makes the client of this key; NULL: no memory. */
static struct account_client *client_get(struct accounts *all, struct account_client *peer, struct span bytes)
{
        if (bytes.len > ACCOUNT_MAX_KEY)
                bytes.len = ACCOUNT_MAX_KEY;
        const struct account_key key = { peer, bytes };
        void *found = tfind(&key, &all->clients, compare);
        if (found)
                return *(struct account_client **)found;

        struct account_client *c = calloc(1, sizeof *c + bytes.len);
        if (!c)
                return NULL;
        if (bytes.len > 0)
                memcpy(c->bytes, bytes.data, bytes.len);
        c->key = (struct account_key){ peer, { c->bytes, bytes.len } };
        LIST_INIT(&c->accounts);
        if (!tsearch(c, &all->clients, compare)) {
                free(c);
                return NULL;
        }
        if (peer)
                peer->names++;
        return c;
}

/* Frees the client if nothing uses it any more. */
static void client_put(struct accounts *all, struct account_client *c)
{
        while (c && c->names == 0 && LIST_EMPTY(&c->accounts)) {
                struct account_client *peer = c->key.peer;
                tdelete(c, &all->clients, compare);
                free(c);
                if (peer)
                        peer->names--;
                c = peer;
        }
}

/* ---------------------------------------------------------------- accounts */

/* A client has at most one account in each lane, and there are some dozens of lanes. */
static struct queue_account *find(const struct account_client *c, const struct queue_lane *lane)
{
        struct queue_account *a;
        LIST_FOREACH(a, &c->accounts, of_client)
        if (a->lane == lane)
                return a;
        return NULL;
}

/* Keeps an account that wants nothing; it may owe nothing yet: account_leave then removes it. */
static void keep(struct accounts *all, struct queue_account *a)
{
        heap_insert(&a->in->debts, &a->debt, a->had_us);
        a->in->kept++;
        all->kept++;
}

static void take_back(struct accounts *all, struct queue_account *a)
{
        heap_remove(&a->in->debts, &a->debt);
        a->in->kept--;
        all->kept--;
}

static struct queue_account *account_get(struct accounts *all, struct queue_lane *lane, struct account_level *in,
                                         struct queue_account *peer, struct span key)
{
        struct account_client *c = client_get(all, peer ? peer->client : NULL, key);
        struct queue_account *a = c ? find(c, lane) : NULL;
        if (a || !c)
                return a;
        a = calloc(1, sizeof *a);
        if (!a) {
                client_put(all, c);
                return NULL;
        }
        a->lane = lane;
        a->client = c;
        a->peer = peer;
        a->in = in;
        a->had_us = in->at_us;
        for (size_t i = 0; i < ACCOUNT_PRIORITIES; i++)
                TAILQ_INIT(&a->line[i]);
        LIST_INSERT_HEAD(&c->accounts, a, of_client);
        in->members++;
        all->n++;
        keep(all, a);
        return a;
}

/* Forgets the member that owes least. A peer that wants nothing has no names any more. */
static void forget_least(struct accounts *all, struct account_level *level)
{
        struct queue_account *a = ACCOUNT_OF(level->debts.top, debt);

        take_back(all, a);
        LIST_REMOVE(a, of_client);
        client_put(all, a->client);
        free(a);
        level->members--;
        all->n--;
}

/* ---------------------------------------------------------------- levels */

/* Forgets accounts that the level has passed: they owe nothing any more. */
static void forget_settled(struct accounts *all, struct account_level *level)
{
        while (level->debts.top && level->debts.top->key <= level->at_us)
                forget_least(all, level);
}

/* Raises the level by so many microseconds of service, in equal parts for the members that want something. */
static void advance(struct accounts *all, struct account_level *level, int64_t us)
{
        int64_t n = level->members - level->kept;

        us += level->rest_us;
        level->at_us += us / n;
        level->rest_us = us % n;
        forget_settled(all, level);
}

void account_turn(struct accounts *all, struct queue_account *a)
{
        int64_t sure_us = a->had_us - a->guessed_us;
        if (a->in->at_us >= sure_us)
                return;
        a->in->at_us = sure_us;
        forget_settled(all, a->in);
}

void account_charge(struct accounts *all, struct queue_account *a, int64_t us, int64_t guessed_us)
{
        a->had_us += us - guessed_us;
        a->guessed_us -= guessed_us;
        advance(all, a->in, us);
}

void account_catch_up(struct queue_account *a)
{
        if (a->had_us < a->in->at_us)
                a->had_us = a->in->at_us;
}

void account_settle(struct queue_account *a, bool ready)
{
        struct heap *turns = &a->in->turns;
        bool was_ready = heap_has(&a->turn);

        if (ready && was_ready && a->turn.key == a->had_us)
                return; /* its order has not changed, so it keeps its place, also among equals */
        heap_remove(turns, &a->turn);
        if (ready)
                heap_insert(turns, &a->turn, a->had_us);
}

/* ---------------------------------------------------------------- entries come and go */

static void enter(struct accounts *all, struct queue_account *a)
{
        a->in->entries++;
        if (a->entries++ == 0)
                take_back(all, a);
}

struct queue_account *account_enter(struct accounts *all, struct queue_lane *lane, struct account_level *top,
                                    struct span peer, struct span name)
{
        struct queue_account *p = account_get(all, lane, top, NULL, peer);
        if (!p)
                return NULL;
        struct queue_account *n = account_get(all, lane, &p->names, p, name);
        if (!n) {
                forget_settled(all, top);
                return NULL;
        }
        enter(all, p);
        enter(all, n);
        return n;
}

/* Counts one entry less. The level is bounded, and starts anew when it has no entry left. */
static void leave(struct accounts *all, struct queue_account *a)
{
        struct account_level *level = a->in;
        unsigned most = a->peer ? ACCOUNT_KEPT_NAMES : ACCOUNT_KEPT_PEERS;

        level->entries--;
        if (--a->entries > 0)
                return;
        keep(all, a);
        forget_settled(all, level); /* this may free `a` itself */
        if (level->entries == 0)
                most = 0;
        while (level->debts.top && (level->kept > most || all->kept > ACCOUNT_KEPT_ALL))
                forget_least(all, level);
}

void account_leave(struct accounts *all, struct queue_account *name)
{
        struct queue_account *peer = name->peer;
        leave(all, name);
        leave(all, peer);
}
