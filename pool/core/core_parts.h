/* The core's data: private to pool/core. Code that goes through all executions uses a walk, since a callback of a sink
 * may end any execution. */
#pragma once

#include "pool/core/core.h"
#include "pool/core/run.h"
#include "pool/sched/sched.h"

#include <sys/queue.h>

/* A walk lies on the stack of the function that goes through the executions. */
struct walk {
        struct core *core;
        struct execution *next;
        struct walk *outer;
};

struct core {
        const struct core_ops *ops;
        void *owner;
        const struct config *config;
        struct budget *memory;
        struct cache *cache;
        const char *instance;
        struct run_host host; /* host.running: executions that have not ended */
        struct sched sched;
        TAILQ_HEAD(executions, execution) executions; /* in the order of arrival */
        struct walk *walks;
        bool leaving; /* see core_leave */
        bool draining;
        uint64_t refusals[REFUSAL_CODES]; /* of submissions, by code */
};
