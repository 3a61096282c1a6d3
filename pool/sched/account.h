/* The slot time that each client has had: the accounts behind the queue (queue.h). Pure.
 *
 * A client is a peer (an address), or a name that a peer gave. It has one account in each lane where it wants something
 * or owes something. The accounts of a lane's peers make one level, and so do those of the names of one peer in a lane.
 *
 * The level is the time that each member would have had by now, if all that want something had been served together in
 * equal parts. Service raises the level by its length, divided by the number of these members. The level is never
 * behind the member whose turn it is.
 * - A member that comes, or comes back, starts at the level, or at its own time if that is more. So no member saves up,
 *   and none loses a debt by being away for a moment.
 * - An account that wants nothing is kept until the level has passed its time.
 * - A level where no member wants anything any more starts anew: slot time that no other member wanted harms none.
 *
 * Clients invent names, so the number of accounts that are only kept is bounded, for each level and for all. In a level
 * that is too full, the account that owes least is forgotten first. So a flood of names pushes out its own accounts. */
#pragma once

#include "pool/base/heap.h"
#include "proto/base/span.h"

#include <sys/queue.h>

enum {
        ACCOUNT_MAX_KEY = 255,     /* bytes of a peer or of a name */
        ACCOUNT_PRIORITIES = 8,    /* 0 to 7 */
        ACCOUNT_KEPT_NAMES = 64,   /* kept accounts of one peer in one lane */
        ACCOUNT_KEPT_PEERS = 1024, /* of one lane */
        ACCOUNT_KEPT_ALL = 16384,  /* of all lanes; each holds some 400 bytes */
};

struct queue_lane;
struct queue_entry;
TAILQ_HEAD(queue_line, queue_entry);

struct account_level {
        struct heap turns; /* members that have something to start now, by their time */
        struct heap debts; /* members that want nothing at present, by their time */
        int64_t at_us;
        int64_t rest_us;  /* service that has not raised the level yet: less than a microsecond for each member */
        unsigned members; /* accounts of this level */
        unsigned kept;    /* of the members, those in debts */
        unsigned entries; /* requests of all of them, waiting or running */
};

struct account_key {
        struct account_client *peer; /* NULL: it is one */
        struct span bytes;
};

/* A client in all lanes together. It lives while it has an account. */
struct account_client {
        struct account_key key; /* the first member, since the tree compares it */
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
        uint64_t bytes;          /* of waiting requests */
        int64_t had_us;          /* slot time that it had, including the guessed part */
        int64_t guessed_us;      /* the guessed part of it */
        struct heap_node turn;   /* in the level's turns, while it has something to start */
        struct heap_node debt;   /* in the level's debts, while it has no entries */
        struct heap_node length; /* in the peer's or the queue's lengths, while a request of it waits */

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

/* Finds or makes the account of a name in a lane; top is the level of the lane's peers. NULL: no memory. The account
 * counts one more entry, until account_leave. */
struct queue_account *account_enter(struct accounts *all, struct queue_lane *lane, struct account_level *top,
                                    struct span peer, struct span name);
void account_leave(struct accounts *all, struct queue_account *name);

/* The account's turn has come: the level catches up with it. */
void account_turn(struct accounts *all, struct queue_account *a);

/* Charges time that it really had; guessed_us of it was charged before. */
void account_charge(struct accounts *all, struct queue_account *a, int64_t us, int64_t guessed_us);

/* The account begins to wait: it does not get back time that it did not want before. While it waits it may fall behind
 * the level, and is then served sooner. */
void account_catch_up(struct queue_account *a);

/* Puts it into its place in the order of turns; ready: it has something that may start. */
void account_settle(struct queue_account *a, bool ready);
