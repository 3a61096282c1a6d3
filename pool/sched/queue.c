/* Waiting requests: see queue.h. */
#include "pool/sched/queue.h"

#include <errno.h>
#include <string.h>

void queue_init(struct queue *q, unsigned max, uint64_t max_bytes)
{
        *q = (struct queue){ .max = max, .max_bytes = max_bytes };
}

void queue_lane_init(struct queue_lane *lane)
{
        *lane = (struct queue_lane){ 0 };
}

/* ---------------------------------------------------------------- shares */

unsigned queue_part(unsigned slots, unsigned percent)
{
        unsigned n = (unsigned)((uint64_t)slots * percent / 100);
        if (percent < 100 && slots > 1 && n >= slots)
                n = slots - 1;
        return n > 0 ? n : 1;
}

void queue_share(struct queue *q, unsigned peer_slots, unsigned percent)
{
        q->peer_slots = peer_slots;
        q->name_slots = peer_slots > 0 ? queue_part(peer_slots, percent) : 0;
}

void queue_lane_share(struct queue_lane *lane, unsigned slots, unsigned percent)
{
        lane->peer_slots = queue_part(slots, percent);
        lane->name_slots = queue_part(lane->peer_slots, percent);
}

/* For requests without a name, the bound is that of their peer. */
static unsigned bound(const struct account_client *c, unsigned peer_slots, unsigned name_slots)
{
        return !c->key.peer ? peer_slots : c->key.bytes.len > 0 ? name_slots : 0;
}

static bool has_less(unsigned slots, unsigned most)
{
        return most == 0 || slots < most;
}

static bool may_start(const struct queue *q, const struct queue_account *a)
{
        const struct account_client *c = a->client;
        return a->waiting > 0 && (a->peer || a->names.turns.top) &&
               has_less(a->started, bound(c, a->lane->peer_slots, a->lane->name_slots)) &&
               has_less(c->started, bound(c, q->peer_slots, q->name_slots));
}

/* ---------------------------------------------------------------- the order of turns */

static void settle(const struct queue *q, struct queue_account *name)
{
        account_settle(name, may_start(q, name));
        account_settle(name->peer, may_start(q, name->peer));
}

/* Counts one slot more or less for a client. At the bound over all lanes this changes the client's turn in all
 * lanes. */
static void count_slot(struct queue *q, struct queue_account *a, bool takes)
{
        struct account_client *c = a->client;
        unsigned most = bound(c, q->peer_slots, q->name_slots);
        bool had_room = has_less(c->started, most);
        struct queue_account *other;

        a->started += takes ? 1 : -1U;
        c->started += takes ? 1 : -1U;
        if (has_less(c->started, most) == had_room)
                return;
        LIST_FOREACH(other, &c->accounts, of_client)
        {
                if (!takes && other != a) /* the client was busy in another lane, and must not save up time by that */
                        account_catch_up(other);
                if (other->peer)
                        settle(q, other);
                else
                        account_settle(other, may_start(q, other));
                q->unblocked = q->unblocked || (!takes && other != a && other->waiting > 0);
        }
}

bool queue_unblocked(struct queue *q)
{
        bool was = q->unblocked;
        q->unblocked = false;
        return was;
}

/* The part of the queue that the account fills, in millionths: by number or by bytes, the larger of the two. */
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

        if (comes && a->waiting == 0)
                account_catch_up(a);
        if (comes && a->peer->waiting == 0)
                account_catch_up(a->peer);
        a->waiting += one;
        a->bytes += bytes;
        a->peer->waiting += one;
        a->peer->bytes += bytes;
        a->lane->count += one;
        q->count += one;
        q->bytes += bytes;
        measure(q, a, &a->peer->lengths);
        measure(q, a->peer, &q->lengths);
        settle(q, a);
}

int queue_push(struct queue *q, struct queue_lane *lane, struct queue_entry *entry, const struct queue_who *who,
               unsigned priority, uint64_t bytes)
{
        struct queue_account *name = account_enter(&q->accounts, lane, &lane->peers, who->peer, who->name);
        if (!name)
                return -ENOMEM;
        *entry = (struct queue_entry){
                .account = name,
                .state = QUEUE_WAITING,
                .priority = priority < QUEUE_PRIORITIES ? priority : QUEUE_PRIORITIES - 1,
                .bytes = bytes,
        };
        TAILQ_INSERT_TAIL(&name->line[entry->priority], entry, link);
        count(q, name, entry, true);
        return 0;
}

/* The longest account below, or the newcomer's own if that is as long. */
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
                        return TAILQ_LAST(&name->line[i], queue_line);
        return NULL;
}

struct queue_entry *queue_first(const struct queue_lane *lane)
{
        if (!lane->peers.turns.top)
                return NULL;
        struct queue_account *peer = ACCOUNT_OF(lane->peers.turns.top, turn);
        struct queue_account *name = ACCOUNT_OF(peer->names.turns.top, turn);
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

static void guess(struct queue_account *a, int64_t us)
{
        a->had_us += us;
        a->guessed_us += us;
}

void queue_start(struct queue *q, struct queue_entry *entry, int64_t making_us)
{
        struct queue_account *name = entry->account, *peer = name->peer;
        int64_t known = name->average_us ? name->average_us : name->lane->average_us;

        entry->state = QUEUE_STARTED;
        entry->making_us = making_us;
        entry->charged_us = making_us + (known ? known : QUEUE_FIRST_GUESS_US);
        account_turn(&q->accounts, peer);
        account_turn(&q->accounts, name);
        guess(name, entry->charged_us);
        guess(peer, entry->charged_us);
        count_slot(q, name, true);
        count_slot(q, peer, true);
        settle(q, name);
}

void queue_goes_on(struct queue *q, struct queue_entry *entry, int64_t held_us)
{
        int64_t more = entry->making_us + held_us - entry->charged_us;
        if (entry->state != QUEUE_STARTED || more <= 0)
                return;
        entry->charged_us += more;
        guess(entry->account, more);
        guess(entry->account->peer, more);
        settle(q, entry->account);
}

/* Gives the slot back, and charges the account with cost_us in place of the guess. */
static void stop(struct queue *q, struct queue_entry *entry, int64_t cost_us)
{
        struct queue_account *name = entry->account, *peer = name->peer;

        entry->state = QUEUE_TAKEN_OUT;
        account_charge(&q->accounts, name, cost_us, entry->charged_us);
        account_charge(&q->accounts, peer, cost_us, entry->charged_us);
        count_slot(q, name, false);
        count_slot(q, peer, false);
        settle(q, name);
}

/* Updates an average in which recent runs weigh most. */
static void average(int64_t *average_us, int64_t cost_us, int weight)
{
        *average_us = *average_us ? *average_us + (cost_us - *average_us) / weight : cost_us;
}

static void stop_after(struct queue *q, struct queue_entry *entry, int64_t held_us)
{
        struct queue_account *name = entry->account;
        int64_t cost_us = held_us > QUEUE_LEAST_COST_US ? held_us : QUEUE_LEAST_COST_US;

        stop(q, entry, entry->making_us + cost_us);
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
        stop(q, entry, 0);
        wait_first(q, entry);
}

void queue_next_step(struct queue *q, struct queue_entry *entry, int64_t held_us, uint64_t bytes)
{
        stop_after(q, entry, held_us);
        entry->bytes = bytes;
        wait_first(q, entry);
}

void queue_leave(struct queue *q, struct queue_entry *entry, int64_t held_us)
{
        struct queue_account *name = entry->account;
        if (!name)
                return;
        queue_remove(q, entry);
        if (entry->state == QUEUE_STARTED)
                stop_after(q, entry, held_us);
        entry->account = NULL;
        account_leave(&q->accounts, name);
}
