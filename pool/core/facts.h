/* The facts about one language, for a front's status. */
#pragma once

#include "pool/base/preload_fact.h"
#include "pool/base/stages.h"
#include "proto/base/histogram.h"
#include "proto/ipc/kind.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config_language;
struct config_runtime;

/* Words of one list are separated by spaces; "" if there are none. */
struct language_facts {
        const char *name, *version;
        enum kind kind; /* 0: not known yet */
        bool known;     /* its first zygote has said hello */
        bool ready;
        const char *fault; /* why it is not ready; "" if it is ready */
        bool echoes;
        bool prompts;          /* it has a prompt of its own */
        bool names_are_others; /* it is a profile: aliases and extensions belong to the language that has its runtime's
                                * name */
        const char *aliases;
        const char *extensions;               /* only for a plug-in; a language that is data has its list in `data` */
        const struct config_runtime *data;    /* NULL: a plug-in */
        const struct config_language *config; /* NULL: it is no longer configured */
        const struct preload_fact *preloads;
        size_t n_preloads;

        unsigned warm, running, preparing, zygotes;
        unsigned warm_target, warm_min, warm_max;
        unsigned queued;
        uint32_t generation; /* of the serving zygote; 0: there is none */
        uint64_t forks;      /* sandboxes that the zygote was ordered to make */
        uint64_t runs, failures, discarded;
        uint64_t sandbox_bytes;
        uint64_t recycles, recycle_sum_us; /* times of recycling (stats.h) since the start: number, sum */
        uint64_t recycle_p50_us, recycle_p99_us;
        const uint64_t *results;       /* outcomes since the start, counted by enum outcome_status */
        uint64_t cache_hits;           /* compile stages that the cache answered, */
        uint64_t cache_misses;         /* and those that ran to their end in a sandbox */
        const int64_t *standard;       /* the value of each limit that a request leaves out (LIMIT_COUNT), */
        const int64_t *ceiling;        /* and the most that a request may ask for */
        const struct histogram *stage; /* STAGE_COUNT of them, in us */
};
