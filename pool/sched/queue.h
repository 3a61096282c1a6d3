/* Requests that wait for a sandbox, and the choice of the next one: fair between clients, per language (a lane), with
 * one bound over all lanes, in number and in bytes. Pure: entries are embedded in the waiting objects, the caller gives
 * the time, and memory is taken once per client, not per request.
 *
 * Fair means by slot time, as in deficit round robin with a small quantum: each client has an account of the slot time
 * that it had (account.h). Of the clients that wait, the one with the least time goes next. Rounds and a quantum, as
 * for packets, do not work here, since runs cost from 1 ms to minutes. With a quantum of minutes one client would start
 * ten thousand short runs in a row; with one of 1 ms there would be ten thousand empty rounds.
 * - A run costs the time that it holds a slot, at least QUEUE_LEAST_COST_US, and the time that its sandbox took to
 *   make. The former is not known beforehand. At the start the account is charged with the recent cost of that client's
 *   runs (for a new client: of the lane's), then with more while the run takes longer. At the end the charge is
 *   corrected.
 * - No client saves up, and none loses a debt: account.h says how.
 *
 * Two levels: first between peers (addresses), then between the names that a peer gives (Execute.client). So a peer
 * that invents a thousand names has one share among peers, and a front that serves a thousand users from one address
 * gives each of them an equal part of its share.
 *
 * A peer, and each name of a peer, may hold only so many slots of a lane at one time, and only so many of all lanes
 * together. That holds even while no other client waits: a run can't be taken back, and the next client must find a
 * slot, and a processor, before a minute has passed.
 *
 * Within one account the higher priority goes first, and equal ones in the order of arrival.
 *
 * When there is no room, the newest request of lowest priority gives way, of the longest account of the longest peer:
 * the one that fills most of the queue, by number or by bytes. */
#pragma once

#include "pool/base/heap.h"
#include "pool/sched/account.h"
#include "proto/base/span.h"

#include <sys/queue.h>

enum {
        QUEUE_PRIORITIES = ACCOUNT_PRIORITIES, /* the default being 0 */
        QUEUE_LEAST_COST_US = 1000,
        QUEUE_FIRST_GUESS_US = 10000, /* the cost of a run, before there has been one */
};

struct queue_entry {
        TAILQ_ENTRY(queue_entry) link;
        struct queue_account *account; /* NULL: it is not in the queue */
        enum { QUEUE_TAKEN_OUT, QUEUE_WAITING, QUEUE_STARTED } state;
        unsigned priority;
        uint64_t bytes;
        int64_t charged_us; /* while it is started: the guess */
        int64_t making_us;  /* while it is started: the time for making its sandbox */
};

/* The client of a request. The bytes are copied. */
struct queue_who {
        struct span peer;
        struct span name; /* may be empty: the peer itself */
};

struct queue_lane {
        struct account_level peers;
        int64_t average_us;  /* cost of a run, the recent ones weighing most; 0: not known */
        unsigned peer_slots; /* that one peer may hold at one time; 0: any number */
        unsigned name_slots; /* the same for one name of a peer, except the empty name */
        unsigned count;
};

struct queue {
        unsigned max;
        uint64_t max_bytes;
        unsigned count;
        uint64_t bytes;
        struct accounts accounts;
        struct heap lengths; /* peers that have something waiting, the longest on top */
        unsigned peer_slots; /* that one peer may hold in all lanes; 0: any number */
        unsigned name_slots; /* the same for one name of a peer, except the empty name */
        bool unblocked;      /* a client may start something again in another lane than the one where a run ended */
};

void queue_init(struct queue *q, unsigned max, uint64_t max_bytes);
void queue_lane_init(struct queue_lane *lane);

/* Of two slots or more, one is always left to others, unless the share is all of them. */
unsigned queue_part(unsigned slots, unsigned percent);

/* Sets how many slots of all lanes one peer may hold (0: any number), and which part of them one of its names. */
void queue_share(struct queue *q, unsigned peer_slots, unsigned percent);

/* Sets which part of a lane's slots one client may hold, and which part of that one of its names. Takes effect as
 * requests come and go. */
void queue_lane_share(struct queue_lane *lane, unsigned slots, unsigned percent);

/* Takes the entry, even beyond the bounds: the caller then calls queue_excess. -ENOMEM: not taken. The entry is known
 * until queue_leave. */
int queue_push(struct queue *q, struct queue_lane *lane, struct queue_entry *entry, const struct queue_who *who,
               unsigned priority, uint64_t bytes);

/* The entry that has to give way because the bounds are exceeded, or NULL. newest is the entry that was just pushed;
 * between equals, it gives way. It stays until it is removed. An entry alone is never too large. */
struct queue_entry *queue_excess(struct queue *q, struct queue_entry *newest);

/* The next entry to be served, or NULL. It stays until it is removed. */
struct queue_entry *queue_first(const struct queue_lane *lane);

/* Takes an entry out of the line, to be started or forgotten. Harmless for an entry that does not wait. */
void queue_remove(struct queue *q, struct queue_entry *entry);

/* A removed entry has a slot now, with a sandbox that took making_us to make. */
void queue_start(struct queue *q, struct queue_entry *entry, int64_t making_us);

/* A started entry has held its slot for so long, and goes on: the account is charged with at least that. */
void queue_goes_on(struct queue *q, struct queue_entry *entry, int64_t held_us);

/* True once, if clients could now start something in lanes where nothing has happened. */
bool queue_unblocked(struct queue *q);

/* A started entry could not run, and waits again: before the others of its account, even beyond the bounds. */
void queue_again(struct queue *q, struct queue_entry *entry);

/* A started entry has had one step, and waits for the next one: before the others of its account, even beyond the
 * bounds. held_us: how long it held its slot, for the charge; bytes: the memory that it holds now. */
void queue_next_step(struct queue *q, struct queue_entry *entry, int64_t held_us, uint64_t bytes);

/* Ends an entry in any state. held_us: how long it held a slot, if it was started. Harmless for an unknown entry. */
void queue_leave(struct queue *q, struct queue_entry *entry, int64_t held_us);
