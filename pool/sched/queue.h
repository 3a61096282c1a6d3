/* Requests that wait for a sandbox, and whose turn is next: fair between clients, per language (a lane), with one bound
 * over all lanes, in number and in bytes. Pure: entries are embedded in what waits, time is handed in, and memory is
 * taken once per client, not per request.
 *
 * Fair means by slot time, as in deficit round robin with a small quantum: each client has an account of the slot time
 * that it had (account.h), and of those that wait the one that has had least goes next. Rounds and a quantum, as for
 * packets, do not serve here: runs cost from 1 ms to minutes, and with a quantum of minutes one client would start ten
 * thousand short runs in a row, with one of 1 ms there would be ten thousand empty rounds.
 * - What a run costs is the time that it holds a slot, at least QUEUE_LEAST_COST_US, and what its sandbox took to make.
 *   The former is not known beforehand: at the start the account is charged with what that client's runs took of late
 *   (for a new one: those of the lane), with more while the run takes longer, and at the end it is corrected.
 * - Nobody saves up, and nobody forgets a debt: account.h says how.
 *
 * Two levels: first between peers (addresses), then between the names that a peer gives (Execute.client). So a peer
 * that makes up a thousand names has one share among peers, and a front that speaks for a thousand users, from one
 * address, gives each of them one share of its own.
 *
 * A peer, and each name of a peer, may hold only so many slots of a lane at one time, and only so many of all lanes
 * together, also while nobody else waits: a run can't be taken back, and the next client must find a slot, and a
 * processor, before a minute has passed.
 *
 * Within one account the higher priority goes first, and equal ones in the order of their coming.
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
        QUEUE_FIRST_GUESS_US = 10000, /* what a run costs, before there has been one */
};

struct queue_entry {
        TAILQ_ENTRY(queue_entry) link;
        struct queue_account *account; /* NULL: the queue knows nothing of it */
        enum { QUEUE_TAKEN_OUT, QUEUE_WAITING, QUEUE_STARTED } state;
        unsigned priority;
        uint64_t bytes;
        int64_t charged_us; /* while it is started: the guess */
        int64_t making_us;  /* ... and what its sandbox took to make */
};

/* Who asks. The bytes are copied. */
struct queue_who {
        struct span peer;
        struct span name; /* may be empty: the peer itself */
};

struct queue_lane {
        struct account_level peers;
        int64_t average_us;  /* cost of a run, the recent ones weighing most; 0: not known */
        unsigned peer_slots; /* that one peer may hold at one time; 0: any number */
        unsigned name_slots; /* ... and one name of a peer, the empty one excepted */
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
        unsigned name_slots; /* ... and one name of a peer, the empty one excepted */
        bool unblocked;      /* a client may start something again in another lane than the one where a run ended */
};

void queue_init(struct queue *q, unsigned max, uint64_t max_bytes);
void queue_lane_init(struct queue_lane *lane);

/* Of two slots or more, one is always left to others, unless the share is all of them. */
unsigned queue_part(unsigned slots, unsigned percent);

/* How many slots of all lanes one peer may hold (0: any number), and which part of them one of its names. */
void queue_share(struct queue *q, unsigned peer_slots, unsigned percent);

/* Which part of a lane's slots one client may hold, and which part of that one of its names. Takes effect as requests
 * come and go. */
void queue_lane_share(struct queue_lane *lane, unsigned slots, unsigned percent);

/* Takes the entry, whatever the bounds say: the caller goes on with queue_excess. -ENOMEM: not taken. The entry is
 * known until queue_leave. */
int queue_push(struct queue *q, struct queue_lane *lane, struct queue_entry *entry, const struct queue_who *who,
               unsigned priority, uint64_t bytes);

/* The entry that has to give way because the bounds are exceeded, or NULL. newest is that which was just pushed;
 * between equals it is the one. It stays until it is removed. An entry alone is never too large. */
struct queue_entry *queue_excess(struct queue *q, struct queue_entry *newest);

/* The next to be served, or NULL. It stays until it is removed. */
struct queue_entry *queue_first(const struct queue_lane *lane);

/* Out of the line, to be started or forgotten. Harmless for an entry that is not waiting. */
void queue_remove(struct queue *q, struct queue_entry *entry);

/* One that was removed has a slot now, with a sandbox that took making_us to make. */
void queue_start(struct queue *q, struct queue_entry *entry, int64_t making_us);

/* One that was started has held its slot for so long, and goes on: the account is charged with no less. */
void queue_goes_on(struct queue *q, struct queue_entry *entry, int64_t held_us);

/* Clients could start something now in lanes where nothing has happened. Said once. */
bool queue_unblocked(struct queue *q);

/* One that was started could not be, and waits again: before the others of its account, whatever the bounds say. */
void queue_again(struct queue *q, struct queue_entry *entry);

/* One that was started has had a part of what it asked for, and waits again for the next one: before the others of its
 * account, whatever the bounds say. held_us: how long it held its slot, which it is charged with; bytes: what it holds
 * now. */
void queue_next_step(struct queue *q, struct queue_entry *entry, int64_t held_us, uint64_t bytes);

/* The end of an entry, in whatever state. held_us: how long it held a slot, if it was started. Harmless for one that is
 * not known. */
void queue_leave(struct queue *q, struct queue_entry *entry, int64_t held_us);
