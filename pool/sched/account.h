/* Who has had how much time of slots: the accounts behind the queue (queue.h). Pure.
 *
 * A client is a peer (an address), or a name that a peer gave. It has one account in each lane where it wants something
 * or owes something. The accounts of a lane's peers make one level, and so do those of the names of one peer in a lane.
 *
 * The level is what each member would have had by now, had all that want something been served at one time in equal
 * parts: service raises it by its length, divided by their number. It is never behind the one whose turn it is.
 * - Who comes, or comes back, starts at the level, or at what it had where that is more. So nobody saves up, and nobody
 *   forgets a debt by being away for a moment.
 * - An account that wants nothing is kept until the level has passed what it had.
 * - A level where nobody wants anything any more starts anew: what was used while nobody else wanted it harms nobody.
 *
 * Clients invent names, so the number of accounts that are only kept is bounded: for each level, and for all. The one
 * that owes least goes first, within the level that is too full, so that a flood of names makes itself forgotten. */
#pragma once

#include "pool/base/heap.h"
#include "proto/base/span.h"

#include <sys/queue.h>

enum {
        ACCOUNT_MAX_KEY = 255,     /* bytes of a peer or of a name */
        ACCOUNT_PRIORITIES = 8,    /* 0 to 7 */
        ACCOUNT_KEPT_NAMES = 64,   /* of one peer in one lane, that want nothing */
        ACCOUNT_KEPT_PEERS = 1024, /* of one lane */
        ACCOUNT_KEPT_ALL = 16384,  /* of all lanes; each holds some 400 bytes */
};

struct queue_lane;
struct queue_entry;
TAILQ_HEAD(queue_line, queue_entry);

struct account_level {
        struct heap turns; /* members that have something to start now, by what they had */
        struct heap debts; /* members that want nothing at present, by what they had */
        int64_t at_us;
        int64_t rest_us;  /* service that has not raised it yet: less than a microsecond for each of them */
        unsigned members; /* accounts of this level */
        unsigned kept;    /* of them, those in debts */
        unsigned entries; /* requests of all of them, waiting or running */
};

struct account_key {
        struct account_client *peer; /* NULL: it is one */
        struct span bytes;
};

/* Who it is, in all lanes together. It lives while it has an account. */
struct account_client {
        struct account_key key; /* the first member: what the tree compares */
        LIST_HEAD(, queue_account) accounts;
        unsigned names;   /* that it gave */
        unsigned started; /* slots that it has, in all lanes */
        uint8_t bytes[];
};

struct queue_account {
        struct queue_lane *lane;
        struct account_client *client;
        LIST_ENTRY(queue_account) of_client;
        struct queue_account *peer; /* NULL: it is one */
        struct account_level *in;   /* its level */
        unsigned entries;           /* requests, waiting or running */
        unsigned waiting, started;
        uint64_t bytes;          /* of what waits */
        int64_t had_us;          /* with what is only guessed so far */
        int64_t guessed_us;      /* of that */
        struct heap_node turn;   /* in the level's turns, while it has something to start */
        struct heap_node debt;   /* in the level's debts, while it has no entries */
        struct heap_node length; /* in the peer's or the queue's lengths, while something of it waits */

        /* Of a peer: its names. */
        struct account_level names;
        struct heap lengths;

        /* Of a name: its requests. */
        struct queue_line line[ACCOUNT_PRIORITIES];
        int64_t average_us;
};

#define ACCOUNT_OF(node, member)                                                                                       \
        ((struct queue_account *)(void *)((char *)(node)-offsetof(struct queue_account, member)))

struct accounts {
        void *clients; /* a tree of tsearch */
        unsigned n;    /* accounts */
        unsigned kept; /* of them, those that want nothing */
};

/* The account of a name in a lane, whose peers' level is top; made if there is none. NULL: no memory. It counts one
 * more entry, until account_leave. */
struct queue_account *account_enter(struct accounts *all, struct queue_lane *lane, struct account_level *top,
                                    struct span peer, struct span name);
void account_leave(struct accounts *all, struct queue_account *name);

/* Its turn has come: the level is not behind it. */
void account_turn(struct accounts *all, struct queue_account *a);

/* Time that it has had for sure; guessed_us of it was charged before. */
void account_charge(struct accounts *all, struct queue_account *a, int64_t us, int64_t guessed_us);

/* It begins to wait: what it did not want until now it does not get any more. One that waits may fall behind the level,
 * and is served the sooner. */
void account_catch_up(struct queue_account *a);

/* Puts it where it belongs in the order of turns; ready: it has something that may start. */
void account_settle(struct queue_account *a, bool ready);
