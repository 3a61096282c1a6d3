/* The scheduler: who gets a sandbox next, and how many are kept. It has the queue, the languages with their zygotes,
 * and the memory that warm sandboxes may take together. What it serves are entries of the queue: whose they are, and
 * what is done with a sandbox, is its owner's business (pool/core).
 *
 * sched.c is its life, and languages that come and go with the configuration; registry.c finds them by name; what each
 * of them does is language.h's. */
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

/* Why what waits for a language waits in vain. */
enum sched_loss {
        SCHED_BROKEN,  /* it does not come up; what is examined and waits is refused, while no zygote of it serves */
        SCHED_LEAVING, /* it is configured no more; all that waits for it is refused */
};

struct sched_ops {
        /* The entry has been taken out of the queue, and the slot moved to RUNNING, for it: the callee holds the slot
         * (slot_hold) before it does anything else with it, and says queue_start. */
        void (*start)(void *owner, struct queue_entry *entry, struct slot *slot);
        /* A language has said what it is, has turned out to be broken, or goes: what waits unexamined can be looked at.
         */
        void (*spoken)(void *owner);
        void (*lost)(void *owner, struct language *l, enum sched_loss loss);
        /* Every language has had its warm sandboxes, but those that do not come up. Once. */
        void (*ready)(void *owner);
        /* As in core.h. */
        int (*renew)(void *owner, const char *language);
        void (*serves)(void *owner, const char *language, uint32_t generation);
        void (*kill)(void *owner, const char *language, uint32_t generation);
};

/* What its languages tell it. */
struct language_ops {
        /* One wants more memory for warm sandboxes, or wants it more, than when it was last shared. */
        void (*grown)(struct sched *s);
        /* One has had its least number of warm sandboxes, or the others need not wait for it any more. */
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
        LIST_HEAD(, language) leaving; /* those that are configured no more, and still have runs or zygotes */
        uint64_t last_sandbox;         /* numbers given so far */
        struct event unblocked;        /* clients may start more, in languages where nothing else has happened */

        bool was_ready; /* every language that comes up has had its least number of warm sandboxes */
        bool draining;  /* set by its owner: no new work, so no sandbox is made that nothing waits for */
        bool closing;   /* sched_close was called: all work is done, and zygotes that end are no news */
};

/* Of zeroed memory, with everything from ops to cores set; the languages are those of the configuration. After an error
 * sched_fini is due all the same. */
int sched_init(struct sched *s, struct err *e);

/* Nothing of its owner's waits in the queue any more; holders of slots are told that they are lost. Harmless for zeroed
 * memory. */
void sched_fini(struct sched *s);

/* s->config is the present configuration, was the one before. -ENOMEM: nothing has changed; the caller puts the old one
 * back. */
int sched_reload(struct sched *s, const struct config *was, struct err *e);

/* A zygote for this language; takes sock over. -1: there was one, but it could not be taken. */
void sched_adopt(struct sched *s, struct span language, uint32_t generation, int sock);

/* No execution is left, or none is waited for: ends all zygotes in good order. */
void sched_close(struct sched *s);

/* To be called each second or so. */
void sched_tick(struct sched *s);

/* Gives warm sandboxes to waiting requests of all languages. */
void sched_kick(struct sched *s);

/* ---------------------------------------------------------------- languages by name: registry.c */

/* The one that is served under this name, or under this name or alias, in any case of letters; or NULL. */
struct language *sched_named(const struct sched *s, struct span name);
struct language *sched_find(const struct sched *s, struct span name);

/* The first that is starting and has yet to say by which names it may be called, too; or NULL. */
struct language *sched_first_unnamed(const struct sched *s);

/* Why there is no such language, where that is known; or NULL. */
const struct config_absent *sched_find_absent(const struct sched *s, struct span name);

/* At this moment: each that was to be served is, also those that never came up. Not before ops->ready was called. */
bool sched_is_ready(const struct sched *s);
