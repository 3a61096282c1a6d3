/* The scheduler chooses which request gets a sandbox next, and how many sandboxes are kept. It has the queue, the
 * languages with their zygotes, and the memory budget of warm sandboxes. It serves entries of the queue. Its owner
 * (pool/core) knows the executions behind the entries, and what to do with a sandbox.
 *
 * sched.c has the scheduler's life, and handles languages that come and go with the configuration. registry.c finds
 * languages by name. language.h is the interface of one language. */
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

/* Why a language can't serve the requests that wait for it. */
enum sched_loss {
        SCHED_BROKEN,  /* its zygotes do not come up. Until one serves, requests that were examined and wait for it are
                          refused */
        SCHED_LEAVING, /* it is no longer configured; all requests that wait for it are refused */
};

struct sched_ops {
        /* The entry was taken out of the queue, and the slot was moved to RUNNING for it. The callee calls slot_hold
         * before it does anything else with the slot, and calls queue_start. */
        void (*start)(void *owner, struct queue_entry *entry, struct slot *slot);
        /* A language's zygote has sent its hello, or a language has turned out to be broken, or leaves. Early requests
         * (they came before the hello) can be examined now. */
        void (*spoken)(void *owner);
        void (*lost)(void *owner, struct language *l, enum sched_loss loss);
        /* Every language that is not broken has had its warm sandboxes. Called once. */
        void (*ready)(void *owner);
        /* As in core.h. */
        int (*renew)(void *owner, const char *language);
        void (*serves)(void *owner, const char *language, uint32_t generation);
        void (*kill)(void *owner, const char *language, uint32_t generation);
};

/* Callbacks from a language to the scheduler. */
struct language_ops {
        /* A language wants more memory for warm sandboxes, or wants it more urgently, than when the memory was last
         * shared. */
        void (*grown)(struct sched *s);
        /* A language has had its least number of warm sandboxes, or is broken, so that the others need not wait for it
         * any more. */
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
        uint64_t last_sandbox;         /* number of the last sandbox that was ordered */
        struct event unblocked;        /* a run has ended, so its client may start runs of other languages */

        bool was_ready; /* every language that is not broken has had its least number of warm sandboxes */
        bool draining;  /* set by the owner: no new work, so sandboxes are made only for waiting requests */
        bool closing;   /* sched_close was called: all work is done, and zygotes are expected to end */
};

/* s is zeroed memory, with everything from ops to cores set; the languages are those of the configuration. After an
 * error sched_fini must still be called. */
int sched_init(struct sched *s, struct err *e);

/* The queue must be empty when this is called. Holders of slots are told that their slots are lost. Does nothing for
 * zeroed memory.
 */
void sched_fini(struct sched *s);

/* s->config is the new configuration, was is the old one. -ENOMEM: nothing has changed; the caller sets s->config to
 * the old one. */
int sched_reload(struct sched *s, const struct config *was, struct err *e);

/* Adopts a zygote for this language, and takes over sock, the zygote's channel. sock is -1 if the channel was lost on
 * the way. */
void sched_adopt(struct sched *s, struct span language, uint32_t generation, int sock);

/* Ends all zygotes in good order. To be called when no execution is left, or when the caller no longer waits for those
 * that are left. */
void sched_close(struct sched *s);

/* To be called about every second. */
void sched_tick(struct sched *s);

/* Gives warm sandboxes to waiting requests of all languages. */
void sched_kick(struct sched *s);

/* ---------------------------------------------------------------- languages by name: registry.c */

/* The language with this name, in any case of letters; or NULL. sched_find also looks at aliases. */
struct language *sched_named(const struct sched *s, struct span name);
struct language *sched_find(const struct sched *s, struct span name);

/* The first language that is starting and has not yet reported its other names; or NULL. */
struct language *sched_first_unnamed(const struct sched *s);

/* Why there is no language of this name; NULL if that is not known. */
const struct config_absent *sched_find_absent(const struct sched *s, struct span name);

/* True if every configured language is ready now, including languages that were broken when ops->ready was called.
 * False before ops->ready was called. */
bool sched_is_ready(const struct sched *s);
