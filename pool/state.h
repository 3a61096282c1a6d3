/* The pool's one owner: struct pool, from which everything hangs, and what its modules say to it. */
#pragma once

#include "pool/base/budget.h"
#include "pool/config/config.h"
#include "pool/native/status.h"
#include "pool/native/turns.h"
#include "pool/sched/queue.h"
#include "proto/base/log.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct cache;
struct control_socket;
struct language;
struct listener;
struct session;

enum { POOL_SCRATCH = 64 << 10 };

struct pool {
        struct event_base *base;
        struct log log;
        struct config config;
        const char *config_name;
        int64_t started_us;
        unsigned cores;
        char instance[9];      /* random, so that names of sandboxes are never used again */
        uint64_t last_sandbox; /* numbers given so far */

        struct control_socket *control;
        struct listener *listeners;
        size_t n_listeners;
        LIST_HEAD(, session) sessions;
        unsigned n_sessions;
        unsigned n_turned_away; /* of them, those that are only told that there is no room */
        unsigned n_doomed;      /* of them, those that are to be freed */
        struct turns turns;     /* of sessions */
        struct heap hoards;     /* sessions whose clients do not take their answers, most of them first */
        struct status_cache last_status;
        uint64_t n_results; /* of runs, and refusals of them, sent so far */

        struct cache *cache;  /* of what was compiled; NULL: there is none */
        struct budget memory; /* that clients make it hold */
        struct queue queue;
        struct language **languages; /* in the configuration's order */
        size_t n_languages;
        LIST_HEAD(, language) leaving; /* those that are configured no more, and still have runs or zygotes */
        unsigned n_runs;               /* accepted and not answered */

        bool was_ready;     /* every language that comes up has had its least number of warm sandboxes */
        bool draining;      /* no new work */
        bool closing;       /* all work is done: answers leave, connections end */
        bool shutting_down; /* the time for draining is over, what still ran has been killed */
        struct event drain_timer;
        struct event tick; /* every second */
        struct event progress;
        struct event unblocked; /* clients may start more, in languages where nothing else has happened */
        int status;             /* the process's exit status */

        /* What is read is looked at here before it gets memory of its own. Two, because a request that was just read
         * may start a run at once. */
        uint8_t session_scratch[POOL_SCRATCH];
        uint8_t run_scratch[POOL_SCRATCH];
};

/* A language has had its least number of warm sandboxes, or nobody need wait for it any more. */
void pool_language_ready(struct pool *p);

/* Something ended that a drain may be waiting for. */
void pool_progress(struct pool *p);

void pool_drain(struct pool *p);
void pool_reload(struct pool *p, int config_fd);

/* Leaves the loop at once. */
void pool_stop(struct pool *p, int status);
