/* Waiting requests: see queue.h. */
#include "pool/queue.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

TAILQ_HEAD(line, queue_entry);

/* A peer of a lane, or a name of a peer. It lives while something of it waits or runs. */
struct queue_account {
        struct queue_lane *lane;
        struct queue_account *peer; /* NULL: it is one */
        unsigned users;             /* entries, or names */
        unsigned waiting, started;
        uint64_t bytes; /* of what waits */
        int64_t had_us;
        struct heap_node turn;   /* in the peer's or the lane's turns, while it has something to start */
        struct heap_node length; /* in the peer's or the queue's lengths, while something of it waits */

        /* Of a peer: its names. */
        struct heap turns, lengths;
        int64_t level_us;

        /* Of a name: its requests. */
        struct line line[QUEUE_PRIORITIES];
        int64_t average_us;

        size_t key_len;
        uint8_t key[QUEUE_MAX_KEY];
};

#define ACCOUNT_OF(node, member)                                                                                       \
        ((struct queue_account *)(void *)((char *)(node)-offsetof(struct queue_account, member)))

void queue_init(struct queue *q, unsigned max, uint64_t max_bytes)
{
        *q = (struct queue){ .max = max, .max_bytes = max_bytes };
}

void queue_lane_init(struct queue_lane *lane)
{
        *lane = (struct queue_lane){ 0 };
}

/* Of two slots or more, one is always left to others, unless the share is all of them. */
static unsigned part(unsigned slots, unsigned percent)
{
        unsigned n = (unsigned)((uint64_t)slots * percent / 100);
        if (percent < 100 && slots > 1 && n >= slots)
                n = slots - 1;
        return n > 0 ? n : 1;
}

void queue_lane_share(struct queue_lane *lane, unsigned slots, unsigned percent)
{
        lane->peer_slots = part(slots, percent);
        lane->name_slots = part(lane->peer_slots, percent);
}

/* ---------------------------------------------------------------- accounts */

static int order_of(const void *a, const void *b)
{
        return ((uintptr_t)a > (uintptr_t)b) - ((uintptr_t)a < (uintptr_t)b);
}

static int compare(const void *left, const void *right)
{
        const struct queue_account *a = left, *b = right;
        if (a->lane != b->lane)
                return order_of(a->lane, b->lane);
        if (a->peer != b->peer)
                return order_of(a->peer, b->peer);
        if (a->key_len != b->key_len)
                return a->key_len < b->key_len ? -1 : 1;
        return memcmp(a->key, b->key, a->key_len);
}

/* The one of this key, made if there is none; or NULL: no memory. */
static struct queue_account *account_get(struct queue *q, struct queue_lane *lane, struct queue_account *peer,
                                         struct span key)
{
        struct queue_account wanted = { .lane = lane, .peer = peer, .key_len = key.len };
        if (wanted.key_len > QUEUE_MAX_KEY)
                wanted.key_len = QUEUE_MAX_KEY;
        if (wanted.key_len > 0)
                memcpy(wanted.key, key.data, wanted.key_len);

        void *found = tfind(&wanted, &q->accounts, compare);
        if (found)
                return *(struct queue_account **)found;

        struct queue_account *a = malloc(sizeof *a);
        if (!a)
                return NULL;
        *a = wanted;
        for (size_t i = 0; i < QUEUE_PRIORITIES; i++)
                TAILQ_INIT(&a->line[i]);
        if (!tsearch(a, &q->accounts, compare)) {
                free(a);
                return NULL;
        }
        q->n_accounts++;
        if (peer)
                peer->users++;
        return a;
}

/* Frees what nothing uses any more. */
static void account_put(struct queue *q, struct queue_account *a)
{
        while (a && a->users == 0) {
                struct queue_account *peer = a->peer;
                tdelete(a, &q->accounts, compare);
                free(a);
                q->n_accounts--;
                if (peer)
                        peer->users--;
                a = peer;
        }
}

static bool may_start(const struct queue_account *a)
{
        unsigned slots = !a->peer ? a->lane->peer_slots : a->key_len > 0 ? a->lane->name_slots : 0;
        return a->waiting > 0 && (slots == 0 || a->started < slots) && (a->peer || a->turns.top);
}

/* Puts one account where it belongs in the order of turns. */
static void settle_one(struct queue_account *a, struct heap *turns, int64_t level_us)
{
        if (a->had_us < level_us)
                a->had_us = level_us;
        if (may_start(a) && heap_has(&a->turn) && a->turn.key == a->had_us)
                return; /* where it is: among equals, too */
        heap_remove(turns, &a->turn);
        if (may_start(a))
                heap_insert(turns, &a->turn, a->had_us);
}

static void settle(struct queue_account *name)
{
        struct queue_account *peer = name->peer;
        settle_one(name, &peer->turns, peer->level_us);
        settle_one(peer, &peer->lane->turns, peer->lane->level_us);
}

/* How much of the queue it fills, in millionths, by number or by bytes, whichever is more. */
static int64_t length(const struct queue *q, const struct queue_account *a)
{
        uint64_t number = (uint64_t)a->waiting * 1000000 / (q->max ? q->max : 1);
        uint64_t bytes = (uint64_t)((double)a->bytes * 1e6 / (double)(q->max_bytes ? q->max_bytes : 1));
        return (int64_t)(number > bytes ? number : bytes);
}

static void measure(const struct queue *q, struct queue_account *a, struct heap *lengths)
{
        heap_remove(lengths, &a->length);
        if (a->waiting > 0)
                heap_insert(lengths, &a->length, -length(q, a));
}

/* ---------------------------------------------------------------- in and out of the line */

static void count(struct queue *q, struct queue_account *a, struct queue_entry *entry, bool comes)
{
        unsigned one = comes ? 1 : -1U;
        uint64_t bytes = comes ? entry->bytes : -entry->bytes;

        a->waiting += one;
        a->bytes += bytes;
        a->peer->waiting += one;
        a->peer->bytes += bytes;
        a->lane->count += one;
        q->count += one;
        q->bytes += bytes;
        measure(q, a, &a->peer->lengths);
        measure(q, a->peer, &q->lengths);
        settle(a);
}

int queue_push(struct queue *q, struct queue_lane *lane, struct queue_entry *entry, const struct queue_who *who,
               unsigned priority, uint64_t bytes)
{
        struct queue_account *peer = account_get(q, lane, NULL, who->peer);
        if (!peer)
                return -ENOMEM;
        struct queue_account *name = account_get(q, lane, peer, who->name);
        if (!name) {
                account_put(q, peer);
                return -ENOMEM;
        }
        *entry = (struct queue_entry){
                .account = name,
                .state = QUEUE_WAITING,
                .priority = priority < QUEUE_PRIORITIES ? priority : QUEUE_PRIORITIES - 1,
                .bytes = bytes,
        };
        name->users++;
        TAILQ_INSERT_TAIL(&name->line[entry->priority], entry, link);
        count(q, name, entry, true);
        return 0;
}

/* The longest below, or the newcomer's own where that is as long. */
static struct queue_account *longest(const struct heap *lengths, struct queue_account *own)
{
        struct queue_account *top = ACCOUNT_OF(lengths->top, length);
        return heap_has(&own->length) && own->length.key == top->length.key ? own : top;
}

struct queue_entry *queue_excess(struct queue *q, struct queue_entry *newest)
{
        if (q->count <= q->max && (q->count <= 1 || q->bytes <= q->max_bytes))
                return NULL;
        struct queue_account *own = newest->account;
        struct queue_account *peer = longest(&q->lengths, own->peer);
        struct queue_account *name =
                peer == own->peer ? longest(&peer->lengths, own) : ACCOUNT_OF(peer->lengths.top, length);
        for (size_t i = 0; i < QUEUE_PRIORITIES; i++)
                if (!TAILQ_EMPTY(&name->line[i]))
                        return TAILQ_LAST(&name->line[i], line);
        return NULL;
}

struct queue_entry *queue_first(const struct queue_lane *lane)
{
        if (!lane->turns.top)
                return NULL;
        struct queue_account *peer = ACCOUNT_OF(lane->turns.top, turn);
        struct queue_account *name = ACCOUNT_OF(peer->turns.top, turn);
        for (size_t i = QUEUE_PRIORITIES; i-- > 0;)
                if (!TAILQ_EMPTY(&name->line[i]))
                        return TAILQ_FIRST(&name->line[i]);
        return NULL;
}

void queue_remove(struct queue *q, struct queue_entry *entry)
{
        if (entry->state != QUEUE_WAITING)
                return;
        entry->state = QUEUE_TAKEN_OUT;
        TAILQ_REMOVE(&entry->account->line[entry->priority], entry, link);
        count(q, entry->account, entry, false);
}

/* ---------------------------------------------------------------- slots */

static void raise_level(int64_t *level_us, int64_t had_us)
{
        if (*level_us < had_us)
                *level_us = had_us;
}

void queue_start(struct queue *q, struct queue_entry *entry)
{
        struct queue_account *name = entry->account, *peer = name->peer;
        int64_t known = name->average_us ? name->average_us : name->lane->average_us;

        (void)q;
        entry->state = QUEUE_STARTED;
        entry->charged_us = known ? known : QUEUE_FIRST_GUESS_US;
        raise_level(&name->lane->level_us, peer->had_us);
        raise_level(&peer->level_us, name->had_us);
        name->started++;
        peer->started++;
        name->had_us += entry->charged_us;
        peer->had_us += entry->charged_us;
        settle(name);
}

/* The slot is given back; the account is charged with cost_us in place of the guess. */
static void stop(struct queue_entry *entry, int64_t cost_us)
{
        struct queue_account *name = entry->account, *peer = name->peer;

        entry->state = QUEUE_TAKEN_OUT;
        name->started--;
        peer->started--;
        name->had_us += cost_us - entry->charged_us;
        peer->had_us += cost_us - entry->charged_us;
}

/* The recent ones weigh most. */
static void average(int64_t *average_us, int64_t cost_us, int weight)
{
        *average_us = *average_us ? *average_us + (cost_us - *average_us) / weight : cost_us;
}

static void stop_after(struct queue_entry *entry, int64_t held_us)
{
        struct queue_account *name = entry->account;
        int64_t cost_us = held_us > QUEUE_LEAST_COST_US ? held_us : QUEUE_LEAST_COST_US;

        stop(entry, cost_us);
        average(&name->average_us, cost_us, 4);
        average(&name->lane->average_us, cost_us, 16);
}

static void wait_first(struct queue *q, struct queue_entry *entry)
{
        entry->state = QUEUE_WAITING;
        TAILQ_INSERT_HEAD(&entry->account->line[entry->priority], entry, link);
        count(q, entry->account, entry, true);
}

void queue_again(struct queue *q, struct queue_entry *entry)
{
        stop(entry, 0);
        wait_first(q, entry);
}

void queue_next_stage(struct queue *q, struct queue_entry *entry, int64_t held_us, uint64_t bytes)
{
        stop_after(entry, held_us);
        entry->bytes = bytes;
        wait_first(q, entry);
}

void queue_leave(struct queue *q, struct queue_entry *entry, int64_t held_us)
{
        struct queue_account *name = entry->account;
        if (!name)
                return;
        queue_remove(q, entry);
        if (entry->state == QUEUE_STARTED) {
                stop_after(entry, held_us);
                settle(name);
        }
        entry->account = NULL;
        name->users--;
        account_put(q, name);
}
