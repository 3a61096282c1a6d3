/* Requests that wait for a sandbox, and the choice of the next one. The choice is fair between clients. Each language
 * has a lane. One bound on number and bytes holds over all lanes. Pure: entries are embedded in the waiting objects,
 * the caller gives the time, and memory is allocated once per client, not per request.
 *
 * Fair means by slot time, as in deficit round robin with a small quantum: each client has an account of the slot time
 * that it had (account.h). Of the clients that wait, the one with the least time goes next. Rounds with a quantum, as
 * for packets, do not work here, since a run costs from 1 ms to minutes. With a quantum of minutes, one client would
 * start ten thousand short runs in a row. With a quantum of 1 ms, there would be ten thousand empty rounds.
 * - A run costs the time that it holds a slot (at least QUEUE_LEAST_COST_US), plus the time that its sandbox took to
 *   make. How long it will hold the slot is not known at its start. So the account is charged first with the recent
 *   cost of that client's runs (for a new client: of the lane's runs), and with more while the run takes longer. At the
 *   end of the run the charge is corrected.
 * - No client can save time up, or get rid of a debt: account.h says how.
 *
 * The queue is fair on two levels: first between peers (addresses), then between the names that a peer gives
 * (Execute.client). So a peer that invents a thousand names still has one share among peers. And a peer that serves a
 * thousand users from one address gives each user an equal part of its share.
 *
 * The number of slots that a peer, or a name of a peer, may hold at one time is bounded, for each lane and for all
 * lanes together. The bounds hold even while no other client waits. A run can't be taken back, and the next client must
 * not have to wait a minute for a slot and a processor.
 *
 * Within one account the higher priority goes first. Requests of equal priority go in the order of arrival.
 *
 * When the queue is full, one request gives way. It is taken from the peer that fills most of the queue, by number or
 * by bytes, and there from the name that fills most. Of this name's requests, it is the newest one of the lowest
 * priority. */
#pragma once

#include "pool/base/heap.h"
#include "pool/sched/account.h"
#include "proto/base/span.h"

#include <sys/queue.h>

enum {
        QUEUE_PRIORITIES = ACCOUNT_PRIORITIES, /* 0 is the default */
        QUEUE_LEAST_COST_US = 1000,
        QUEUE_FIRST_GUESS_US = 10000, /* the guessed cost of a lane's first run */
};

struct queue_entry {
        TAILQ_ENTRY(queue_entry) link;
        struct queue_account *account; /* NULL: the entry is not in the queue */
        enum { QUEUE_TAKEN_OUT, QUEUE_WAITING, QUEUE_STARTED } state;
        unsigned priority;
        uint64_t bytes;
        int64_t charged_us; /* while STARTED: the guessed cost */
        int64_t making_us;  /* while STARTED: the time for making its sandbox */
};

/* The client of a request. The bytes are copied. */
struct queue_who {
        struct span peer;
        struct span name; /* empty: the peer itself */
};

struct queue_lane {
        struct account_level peers;
        int64_t average_us;  /* average cost of a run, weighted towards recent runs; 0: not known */
        unsigned peer_slots; /* slots that one peer may hold at one time; 0: any number */
        unsigned name_slots; /* the same for one name of a peer, except the empty name */
        unsigned count;
};

struct queue {
        unsigned max;
        uint64_t max_bytes;
        unsigned count;
        uint64_t bytes;
        struct accounts accounts;
        struct heap lengths; /* peers with waiting requests; on top the one that fills most of the queue */
        unsigned peer_slots; /* slots that one peer may hold in all lanes; 0: any number */
        unsigned name_slots; /* the same for one name of a peer, except the empty name */
        bool unblocked;      /* a run has ended, and its client may now start something in another lane */
};

void queue_init(struct queue *q, unsigned max, uint64_t max_bytes);
void queue_lane_init(struct queue_lane *lane);

/* The number of slots that is this percentage of slots, at least 1. Below 100 percent it is less than slots, if slots
 * is 2 or more, so that another client finds a slot. */
unsigned queue_part(unsigned slots, unsigned percent);

/* Sets how many slots of all lanes one peer may hold (0: any number), and the percentage of these slots that one name
 * of the peer may hold. */
void queue_share(struct queue *q, unsigned peer_slots, unsigned percent);

/* Sets the percentage of a lane's slots that one peer may hold. One name of the peer may hold the same percentage of
 * the peer's slots. Takes effect as requests come and go. */
void queue_lane_share(struct queue_lane *lane, unsigned slots, unsigned percent);

/* Adds the entry, even beyond the bounds: the caller then calls queue_excess. -ENOMEM: not added. The queue refers to
 * the entry until queue_leave. */
int queue_push(struct queue *q, struct queue_lane *lane, struct queue_entry *entry, const struct queue_who *who,
               unsigned priority, uint64_t bytes);

/* The entry that has to give way because the bounds are exceeded, or NULL. newest is the entry that was just pushed; if
 * two clients fill the queue equally, its client gives way. The returned entry stays in the queue until it is removed.
 * A single entry is never too large. */
struct queue_entry *queue_excess(struct queue *q, struct queue_entry *newest);

/* The next entry to be served, or NULL. It stays in the queue until it is removed. */
struct queue_entry *queue_first(const struct queue_lane *lane);

/* Takes an entry out of the line, to be started or forgotten. Harmless for an entry that does not wait. */
void queue_remove(struct queue *q, struct queue_entry *entry);

/* A removed entry has a slot now, with a sandbox that took making_us to make. */
void queue_start(struct queue *q, struct queue_entry *entry, int64_t making_us);

/* A started entry has held its slot for held_us, and goes on: the account is charged with at least this time. */
void queue_goes_on(struct queue *q, struct queue_entry *entry, int64_t held_us);

/* True once after a run's end, if its client may now start something in another lane. */
bool queue_unblocked(struct queue *q);

/* A started entry could not run, and waits again, before all others of its account and even beyond the bounds. */
void queue_again(struct queue *q, struct queue_entry *entry);

/* A started entry has had one step, and waits for the next step, before all others of its account and even beyond the
 * bounds. held_us: how long it held its slot, for the charge. bytes: the memory that it holds now. */
void queue_next_step(struct queue *q, struct queue_entry *entry, int64_t held_us, uint64_t bytes);

/* Ends an entry in any state. held_us: how long it held a slot, if it was started. Harmless for an unknown entry. */
void queue_leave(struct queue *q, struct queue_entry *entry, int64_t held_us);
