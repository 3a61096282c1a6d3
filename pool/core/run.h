/* One accepted request, from its arrival to its answer: it waits, gets a slot, hands its job over, feeds standard
 * input, takes output, watches the limits that the kernel does not watch, and turns the exit report into a Result.
 * run.c is its beginning, up to the hand-over; run_limits.c its time limits; run_kill.c whatever ends it early;
 * run_end.c its end; run_io.c its descriptors; run_answer.c its answers. run_parts.h is what these say to each other.
 *
 * Where the language is compiled, a run goes this way twice, in two sandboxes: for the compile stage, whose artifacts
 * are collected, and then, back in the queue, for the run stage, which finds them among its files. run_compile.c is the
 * way from one to the other. What the cache has needs no compile stage: it is asked when the turn has come.
 *
 * A run is always in its session's list, until that is gone, and either in the queue or with a slot. Every run is
 * answered exactly once, or its client is gone. */
#pragma once

#include "pool/base/refusal.h"
#include "pool/base/stages.h"
#include "pool/core/capture.h"
#include "pool/core/check.h"
#include "pool/core/compile.h"
#include "pool/core/feed.h"
#include "pool/core/outcome.h"
#include "pool/sched/queue.h"
#include "proto/ipc/job.h"
#include "proto/wire/request.h"

#include <event2/event_struct.h>
#include <stdbool.h>
#include <sys/queue.h>

struct collector;
struct language;
struct pool;
struct session;
struct slot;

enum run_state {
        RUN_QUEUED,
        RUN_LIMITING,   /* has a slot, whose limits are being changed */
        RUN_RUNNING,    /* the job is handed over */
        RUN_ENDING,     /* everything in the sandbox is dead; its pipes are drained */
        RUN_COLLECTING, /* its files are coming */
};

struct run {
        enum run_state state;
        struct pool *pool;
        struct language *language;
        struct session *session; /* NULL: gone */
        LIST_ENTRY(run) of_session;
        struct queue_entry queued;
        struct slot *slot;

        struct request request; /* its spans point into buffer */
        uint8_t *buffer;
        size_t buffer_len;
        uint64_t held; /* bytes of memory, as the pool's budget has them */
        struct check_plan plan;
        bool planned; /* else it came before its language was known, and waits unexamined: pool/core/early.h */
        struct run *next_early;
        enum job_stage stage;
        const int64_t *limit; /* of this stage: the plan's */
        struct compile compile;
        bool retried; /* a slot has failed it before */

        int64_t arrived_us;
        int64_t began_us;    /* of its stages: its arrival, moved on by the time that the compile stage took */
        int64_t deadline_us; /* on the clock; 0: none */
        int64_t started_us;  /* when it got its slot */
        int64_t handed_us;
        int64_t end_us;    /* when the wall limit or the deadline is reached */
        int64_t fed_us;    /* when all of its job was written */
        int64_t killed_us; /* when the order to kill it went out; 0: none */
        int64_t exited_us;
        int64_t drained_us;
        int64_t warm_us;                 /* age of the sandbox at the hand-over */
        uint64_t took_us[STAGES_OF_RUN]; /* at its end */
        enum kill_reason reason;
        bool refused; /* by the language, which could not translate the program: nothing of it has run */
        bool discard; /* the slot can't be trusted afterwards */

        struct event timer; /* of the deadline, the wall limit, or the guard of the present state */
        struct event cpu_timer;
        struct event look_timer; /* until then output stays in the pipes */
        int64_t look_us;         /* how long that is */
        struct event job_writable, stdin_writable, first_output, out_readable, err_readable;
        uint8_t *job_head;
        struct job_file *job_files;
        struct feed job, input;
        struct capture out, err;

        struct report report;
        struct collector *collector;
};

/* Takes over the request and *buffer (which becomes NULL) on success. plan may be NULL: run_plan is called before the
 * run is started. */
int run_new(struct run **out, struct session *s, struct language *l, struct request *request, uint8_t **buffer,
            size_t buffer_len, const struct check_plan *plan, struct err *e);

/* What is to be run, now that it is known. */
void run_plan(struct run *r, const struct check_plan *plan);

/* It waits for this language from now on. -ENOMEM: for none, and the caller refuses it. */
int run_move(struct run *r, struct language *l);

static inline struct run *run_of_entry(struct queue_entry *entry)
{
        return (struct run *)(void *)((char *)entry - offsetof(struct run, queued));
}

/* Into the queue. Where there is no room, another gives way and is answered; or REFUSED and the refusal: this one has
 * to, and stays the caller's. */
int run_enqueue(struct run *r, struct refusal *refusal);

/* With a warm slot that was just moved to RUNNING. */
void run_start(struct run *r, struct slot *slot);

/* What the language says about its slot: now and then that time passes; else what has happened. */
void run_goes_on(struct run *r);
bool run_is_limiting(const struct run *r);
void run_limited(struct run *r);
void run_exited(struct run *r, const struct report *report);
void run_slot_failed(struct run *r, const char *why);
void run_zygote_lost(struct run *r);

/* By Cancel: the run is answered, now or once it is dead. */
void run_cancel(struct run *r);

/* Its client is gone: nothing is answered. */
void run_abandon(struct run *r);

/* Its language is configured no more: if it waits, it is answered. */
void run_language_gone(struct run *r);

/* The drain took too long. */
void run_shut_down(struct run *r);

/* Answers with an Error and frees. */
void run_refuse(struct run *r, const struct refusal *refusal);

/* Frees; the run must have neither a slot nor a place in the queue that others count on. */
void run_free(struct run *r);
