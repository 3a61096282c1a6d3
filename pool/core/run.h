/* One run: a stay in one sandbox. It gets a slot and a task, hands the job over, feeds standard input, takes output,
 * watches the limits that the kernel does not watch, collects files, and tells its owner how it ended. It knows nothing
 * of clients, of queues, or of other steps.
 *
 * run.c is its life; below that, run_io.c has its descriptors, run_job.c makes its job, and run_limits.c has its time
 * limits. run_parts.h is the interface between these and run.c. */
#pragma once

#include "pool/base/feed.h"
#include "pool/base/timer.h"
#include "pool/core/capture.h"
#include "pool/core/collector.h"
#include "pool/core/ending.h"
#include "pool/link/holder.h"
#include "proto/base/log.h"
#include "proto/base/submission.h"
#include "proto/ipc/job.h"

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct live_input;
struct run;
struct run_life;
struct slot;

enum { RUN_SCRATCH = 64 << 10 };

/* Shared by all runs. */
struct run_host {
        struct event_base *base;
        struct log *log;
        unsigned cores;
        unsigned running; /* executions that wait or run */
        uint8_t scratch[RUN_SCRATCH];
};

/* The task of a run. Its pointers outlive the run. */
struct run_task {
        const char *language; /* for sentences of the log */
        struct submission submission;
        struct span entry;
        enum job_purpose purpose;
        const int64_t *limit;              /* LIMIT_COUNT */
        const struct file_span *artifacts; /* among its files, instead of those of the same name */
        size_t n_artifacts;
        struct span said_out, said_err; /* the compiler's output, which comes before its own */
        int64_t deadline_us;            /* on the clock; 0: none */
        bool truncates;                 /* excess output is thrown away, and does not end the run */
        bool streams;                   /* output is told as it comes */
        struct live_input *live;        /* NULL: there is only submission.standard_input */
};

/* Why a run that was begun has neither an ending nor a sandbox. */
enum run_failure {
        RUN_NO_MEMORY, /* its job could not be made; nothing was started */
        RUN_IMMORTAL,  /* the order to kill it was sent, but it does not die */
        RUN_SLOT_FAILED,
        RUN_ZYGOTE_LOST,
};

/* Exactly one of ended, unstarted, job_failed and failed is called, once, and none after run_give_back and run_abandon;
 * the owner may free the run within that call. When the call has returned, the slot is given back or gone. */
struct run_ops {
        /* The job was handed over. */
        void (*began)(struct run *r);
        /* It has ended: report, reason, untranslated, out, err and collector hold the results. */
        void (*ended)(struct run *r);
        /* Its sandbox died (or its slot failed) before it had the job: nothing was started. */
        void (*unstarted)(struct run *r, bool died, const char *why);
        /* The sandbox could not lay the job out. */
        void (*job_failed)(struct run *r, const struct job_failure *failure);
        void (*failed)(struct run *r, enum run_failure failure, const char *why);
        /* It is dead and drained, and its files can be collected. False: none are wanted. changed_only: only files that
         * the run has changed; the run then fills the task's `given`. */
        bool (*wants_files)(struct run *r, struct collector_task *task, bool *changed_only);
        /* As in core.h: how much is taken. If not all, no more is read before run_resume. */
        size_t (*output)(struct run *r, bool is_stderr, struct span bytes, uint64_t offset);
        /* Some live input was written, or live input is closed. */
        void (*input_moved)(struct run *r);
        /* The number of bytes that it holds has changed. */
        void (*weighs)(struct run *r);
        /* About a second has passed. */
        void (*goes_on)(struct run *r);
};

enum run_state {
        RUN_NONE,       /* not begun, or over */
        RUN_LIMITING,   /* it has a slot whose limits are being changed */
        RUN_CLEARING,   /* has a slot, whose sandbox has no terminal and is being killed */
        RUN_MAKING,     /* a sandbox with a terminal is being made in it */
        RUN_RUNNING,    /* the job is handed over */
        RUN_ENDING,     /* everything in the sandbox is dead; its pipes are drained */
        RUN_COLLECTING, /* its files are coming */
};

struct run {
        struct slot_holder holder;   /* the first member */
        const struct run_life *life; /* run_parts.h */
        const struct run_ops *ops;
        struct run_host *host;
        enum run_state state;
        struct slot *slot; /* NULL: it has none, or has given it back */
        struct run_task task;

        int64_t handed_us;
        int64_t end_us;    /* when the wall limit or the deadline is reached */
        int64_t fed_us;    /* when all of its job was written; 0: not yet */
        int64_t killed_us; /* when the order to kill it went out; 0: none */
        int64_t exited_us;
        int64_t drained_us;
        int64_t over_us; /* when it had nothing more to wait for */
        int64_t warm_us; /* age of the sandbox at the hand-over */
        enum kill_reason reason;
        bool untranslated; /* the language could not translate the program and refused it: nothing of it has run */
        bool discard;      /* the slot can't be trusted afterwards */
        bool full;         /* its owner did not take all that it was told: nothing is read before run_resume */
        bool telling;      /* its owner is within a call of ops->output */
        bool said;         /* the task's earlier output was told */

        struct timer timer; /* of the wall limit, or the guard of the present state */
        struct timer cpu_timer;
        struct timer look_timer; /* until then output stays in the pipes */
        int64_t look_us;         /* the length of that delay */
        struct event job_writable, stdin_writable, first_output, out_readable, err_readable;
        uint8_t *job_head;
        struct job_file *job_files;
        struct feed job, input;
        struct capture out, err;
        uint64_t told[2]; /* bytes of each stream that ops->output took; those that it did not take yet are in out and
                             err */

        struct report report;
        struct collector *collector;
};

/* r is zeroed memory. -EIO: there is no timer for it. */
int run_init(struct run *r, struct run_host *host, const struct run_ops *ops);

/* Frees what it holds; the run must not be under way. It may be begun again. */
void run_fini(struct run *r);

/* In a slot that was just moved to RUNNING for it, whose zygote takes the task's limits. Where the task has a terminal,
 * its sandbox is replaced by one that has one, too. A run that was over, and whose
 * task was taken back, may be begun anew. It may be over before this returns. */
void run_begin(struct run *r, struct slot *slot, const struct run_task *task);

/* Has everything in its sandbox killed. The first reason counts. */
void run_kill(struct run *r, enum kill_reason reason);

/* It has a slot, and its job is not handed over: it is LIMITING, CLEARING or MAKING. */
bool run_is_getting_ready(const struct run *r);

/* While it is getting ready: its slot is given back, and nothing is told. */
void run_give_back(struct run *r);

/* Its owner does not wait for it any more, so it ends as soon as it can. True: at once, and ended is not called. */
bool run_abandon(struct run *r);

/* Its owner may take more: what was kept is told, and output is read again. Does nothing from within ops->output. */
void run_resume(struct run *r);

/* Tells the owner of a run that streams what was kept, since the owner did not take it before. False: the owner does
 * not take all of it now either. */
bool run_tell_kept(struct run *r);

/* There is more live input, or its end has come. */
void run_input(struct run *r);

/* -ESRCH: its program does not run. */
int run_signal(struct run *r, int number);

/* Its slot is given back, and its job is never looked at again. */
void run_forget_job(struct run *r);

/* The terminal that it has, or will have, gets another size. */
void run_resize(struct run *r, const struct terminal_size *size);

/* Bytes of memory that it holds. */
uint64_t run_weight(const struct run *r);

/* True if more was written than its output limit allows. */
bool run_is_over(const struct run *r, bool is_stderr);
