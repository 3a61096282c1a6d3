/* The slot time that each client has had: the accounts behind the queue (queue.h). Pure.
 *
 * A client is a peer (an address), or a name that a peer gave. It has one account in each lane where it wants something
 * or owes something. The accounts of all peers in a lane are one level. The accounts of all names of one peer in a lane
 * are one level, too.
 *
 * A level has a time, too. It is the slot time that each member would have had by now, if all members that want
 * something had been served in equal parts. Each service raises it by the service's length, divided by the number of
 * these members. It is never less than the time of the member whose turn it is.
 * - A member that comes, or comes back, starts at the level's time, or at its own time if that is more. So no member
 *   can save time up, and none gets rid of a debt by wanting nothing for a moment.
 * - An account that wants nothing is kept until the level's time has passed the account's time.
 * - A level where no member wants anything any more starts anew: slot time that no other member wanted is no debt.
 *
 * Clients can invent names. So the number of accounts that want nothing and are only kept is bounded, for each level
 * and for all levels. In a level that is too full, the account that owes least is freed first. So a client that invents
 * many names loses its own accounts, not those of others. */
#pragma once

#include "pool/base/heap.h"
#include "proto/base/span.h"

#include <sys/queue.h>

enum {
        ACCOUNT_MAX_KEY = 255,     /* bytes of a peer or of a name */
        ACCOUNT_PRIORITIES = 8,    /* 0 to 7 */
        ACCOUNT_KEPT_NAMES = 64,   /* kept accounts of one peer in one lane */
        ACCOUNT_KEPT_PEERS = 1024, /* kept accounts of peers in one lane */
        ACCOUNT_KEPT_ALL = 16384,  /* kept accounts of all lanes; each takes about 400 bytes */
};

struct queue_lane;
struct queue_entry;
TAILQ_HEAD(queue_line, queue_entry);

struct account_level {
        struct heap turns; /* members that have something to start now, by their time */
        struct heap debts; /* members that want nothing at present, by their time */
        int64_t at_us;
        int64_t rest_us;  /* service that has not raised at_us yet: less than 1 us for each member */
        unsigned members; /* accounts of this level */
        unsigned kept;    /* how many of the members are in debts */
        unsigned entries; /* requests of all members, waiting or running */
};

struct account_key {
        struct account_client *peer; /* NULL: this is a peer */
        struct span bytes;
};

/* A client in all lanes together. It exists while it has an account. */
struct account_client {
        struct account_key key; /* the first member, since the tree compares it */
        LIST_HEAD(, queue_account) accounts;
        unsigned names;   /* names that this peer gave */
        unsigned started; /* slots that the client has, in all lanes */
        uint8_t bytes[];
};

struct queue_account {
        struct queue_lane *lane;
        struct account_client *client;
        LIST_ENTRY(queue_account) of_client;
        struct queue_account *peer; /* NULL: this is a peer's account */
        struct account_level *in;   /* the account's level */
        unsigned entries;           /* requests, waiting or running */
        unsigned waiting, started;
        uint64_t bytes;          /* of waiting requests */
        int64_t had_us;          /* slot time that was charged, including the guessed part */
        int64_t guessed_us;      /* the guessed part of had_us */
        struct heap_node turn;   /* in the level's turns, while the account has something to start */
        struct heap_node debt;   /* in the level's debts, while the account has no entries */
        struct heap_node length; /* in the peer's or the queue's lengths, while a request of the account waits */

        /* Only for a peer: the accounts of its names. */
        struct account_level names;
        struct heap lengths;

        /* Only for a name: its requests. */
        struct queue_line line[ACCOUNT_PRIORITIES];
        int64_t average_us;
};

#define ACCOUNT_OF(node, member)                                                                                       \
        ((struct queue_account *)(void *)((char *)(node)-offsetof(struct queue_account, member)))

struct accounts {
        void *clients; /* a tree of tsearch */
        unsigned n;    /* accounts */
        unsigned kept; /* accounts that want nothing */
};

/* Finds or makes the account of a name in a lane; top is the level of the lane's peers. NULL: no memory. The account
 * counts one more entry, until account_leave. */
struct queue_account *account_enter(struct accounts *all, struct queue_lane *lane, struct account_level *top,
                                    struct span peer, struct span name);
void account_leave(struct accounts *all, struct queue_account *name);

/* The account's turn has come: the level's time is raised at least to the account's time without its guessed part. */
void account_turn(struct accounts *all, struct queue_account *a);

/* Charges the slot time that the account really had. The guess for it, guessed_us, was charged before. */
void account_charge(struct accounts *all, struct queue_account *a, int64_t us, int64_t guessed_us);

/* The account begins to wait. Its time is raised at least to the level's time, so it gets no credit for time when it
 * wanted nothing. While it waits, its time may fall behind the level's time; it is then served sooner. */
void account_catch_up(struct queue_account *a);

/* Puts the account into its place in the order of turns. ready: it has something that may start. */
void account_settle(struct queue_account *a, bool ready);
