/* The scheduler chooses which request gets a sandbox next, and how many sandboxes are kept. It has the queue, the
 * languages with their zygotes, and the memory budget of warm sandboxes. It serves entries of the queue. Its owner
 * (pool/core) knows whose they are, and what to do with a sandbox.
 *
 * sched.c is its life, and handles languages that come and go with the configuration; registry.c finds them by name;
 * language.h is one language. */
#pragma once

#include "pool/config/config.h"
#include "pool/link/slot.h"
#include "pool/sched/queue.h"
#include "proto/base/err.h"
#include "proto/base/log.h"
#include "proto/base/span.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct language;
struct sched;

/* Why requests wait for a language in vain. */
enum sched_loss {
        SCHED_BROKEN,  /* it does not come up; requests that are examined and wait are refused, while no zygote of it
                        * serves */
        SCHED_LEAVING, /* it is no longer configured; all requests that wait for it are refused */
};

struct sched_ops {
        /* The entry was taken out of the queue, and the slot moved to RUNNING for it. The callee holds the slot
         * (slot_hold) before it does anything else with it, and calls queue_start. */
        void (*start)(void *owner, struct queue_entry *entry, struct slot *slot);
        /* A language has said hello, has turned out to be broken, or leaves: requests that wait unexamined can be
         * examined.
         */
        void (*spoken)(void *owner);
        void (*lost)(void *owner, struct language *l, enum sched_loss loss);
        /* Every language that can come up has had its warm sandboxes. Called once. */
        void (*ready)(void *owner);
        /* As in core.h. */
        int (*renew)(void *owner, const char *language);
        void (*serves)(void *owner, const char *language, uint32_t generation);
        void (*kill)(void *owner, const char *language, uint32_t generation);
};

/* News of its languages. */
struct language_ops {
        /* A language wants more memory for warm sandboxes, or more urgently, than when it was last shared. */
        void (*grown)(struct sched *s);
        /* A language has had its least number of warm sandboxes, or the others need not wait for it any more. */
        void (*came_up)(struct sched *s);
};

struct sched {
        const struct sched_ops *ops;
        void *owner;
        struct event_base *base;
        struct log *log;
        const struct config *config;
        unsigned cores;

        const struct language_ops *language_ops; /* sched_init sets it */
        struct queue queue;
        struct language **languages; /* in the configuration's order */
        size_t n_languages;
        LIST_HEAD(, language) leaving; /* languages that are no longer configured, and still have runs or zygotes */
        uint64_t last_sandbox;         /* numbers given so far */
        struct event unblocked;        /* clients may start more, in languages where nothing else has happened */

        bool was_ready; /* every language that can come up has had its least number of warm sandboxes */
        bool draining;  /* set by its owner: no new work, so sandboxes are made only for waiting requests */
        bool closing;   /* sched_close was called: all work is done, and ends of zygotes are expected */
};

/* s is zeroed memory, with everything from ops to cores set; the languages are those of the configuration. After an
 * error sched_fini must still be called. */
int sched_init(struct sched *s, struct err *e);

/* No entry of its owner may wait in the queue; holders of slots are told that they are lost. Harmless for zeroed
 * memory. */
void sched_fini(struct sched *s);

/* s->config is the present configuration, was is the one before. -ENOMEM: nothing has changed; the caller puts the old
 * one back. */
int sched_reload(struct sched *s, const struct config *was, struct err *e);

/* Takes a zygote for this language, and sock over. -1: there was a zygote, but it could not be taken. */
void sched_adopt(struct sched *s, struct span language, uint32_t generation, int sock);

/* No execution is left, or none is awaited: ends all zygotes in good order. */
void sched_close(struct sched *s);

/* To be called about every second. */
void sched_tick(struct sched *s);

/* Gives warm sandboxes to waiting requests of all languages. */
void sched_kick(struct sched *s);

/* ---------------------------------------------------------------- languages by name: registry.c */

/* The language that is served under this name (the second function: or alias), in any case of letters; or NULL. */
struct language *sched_named(const struct sched *s, struct span name);
struct language *sched_find(const struct sched *s, struct span name);

/* The first language that is starting and has not yet reported its other names; or NULL. */
struct language *sched_first_unnamed(const struct sched *s);

/* Why there is no such language, if that is known; or NULL. */
const struct config_absent *sched_find_absent(const struct sched *s, struct span name);

/* True if every configured language is ready at this moment, including those that never came up. Not before ops->ready
 * was called. */
bool sched_is_ready(const struct sched *s);
