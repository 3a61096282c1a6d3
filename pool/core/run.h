/* One run: a stay in one sandbox. It gets a slot and a task, hands the job over, feeds standard input, takes output,
 * watches the limits that the kernel does not watch, collects files, and tells its owner how it ended. A run does not
 * know clients, queues, or other steps.
 *
 * run.c has the life of a run. Below it, run_io.c has the descriptors, run_job.c makes the job, and run_limits.c has
 * the time limits. run_parts.h is the interface between these three files and run.c. */
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

/* The task of a run. The data that it points to outlives the run. */
struct run_task {
        const char *language; /* for the log */
        struct submission submission;
        struct span entry;
        enum job_purpose purpose;
        const int64_t *limit;              /* LIMIT_COUNT */
        const struct file_span *artifacts; /* files of the run; replace submitted files of the same name */
        size_t n_artifacts;
        struct span said_out, said_err; /* the compiler's output, which comes before the program's output */
        int64_t deadline_us;            /* on the clock; 0: none */
        bool truncates;                 /* output beyond the limit is thrown away, and does not end the run */
        bool streams;                   /* ops->output gets the output as it comes */
        struct live_input *live;        /* NULL: there is only submission.standard_input */
};

/* Why a run that was begun has failed, and has lost its slot. */
enum run_failure {
        RUN_NO_MEMORY, /* its job could not be made; the program was not started */
        RUN_IMMORTAL,  /* the order to kill its sandbox was sent, but the sandbox does not die */
        RUN_SLOT_FAILED,
        RUN_ZYGOTE_LOST,
};

/* Exactly one of ended, unstarted, job_failed and failed is called, and only once. After run_give_back or run_abandon
 * none of them is called. The owner may free the run within that call. When the call has returned, the slot is given
 * back or gone. */
struct run_ops {
        /* The job was handed over. */
        void (*began)(struct run *r);
        /* The run has ended: report, reason, untranslated, out, err and collector hold the results. */
        void (*ended)(struct run *r);
        /* The sandbox died (or its slot failed) before it had the job: the program was not started. */
        void (*unstarted)(struct run *r, bool died, const char *why);
        /* The sandbox could not lay the job out. */
        void (*job_failed)(struct run *r, const struct job_failure *failure);
        void (*failed)(struct run *r, enum run_failure failure, const char *why);
        /* Everything in the sandbox is dead, its pipes are drained, and its files can be collected. False: no files are
         * wanted. changed_only: only files that the run has changed are wanted; the run then fills the task's `given`.
         */
        bool (*wants_files)(struct run *r, struct collector_task *task, bool *changed_only);
        /* Returns how many bytes the owner takes, as the sink's output in core.h. If it does not take all, no more
         * output is read before run_resume. */
        size_t (*output)(struct run *r, bool is_stderr, struct span bytes, uint64_t offset);
        /* Some live input was written to the program, or the program takes no more live input. */
        void (*input_moved)(struct run *r);
        /* The number of bytes that the run holds has changed. */
        void (*weighs)(struct run *r);
        /* Called about every second while the run has a slot. */
        void (*goes_on)(struct run *r);
};

enum run_state {
        RUN_NONE,       /* not begun, or over */
        RUN_LIMITING,   /* it has a slot whose limits are being changed */
        RUN_CLEARING,   /* it has a slot, whose sandbox has no terminal and is being killed */
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
        struct slot *slot; /* NULL: the run has no slot, or has given it back */
        struct run_task task;

        int64_t handed_us;
        int64_t end_us;    /* when the wall limit or the deadline is reached */
        int64_t fed_us;    /* when the whole job was written; 0: not yet */
        int64_t killed_us; /* when the order to kill the sandbox was sent; 0: it was not sent */
        int64_t exited_us;
        int64_t drained_us;
        int64_t over_us; /* when the run had nothing more to wait for */
        int64_t warm_us; /* age of the sandbox at the hand-over */
        enum kill_reason reason;
        bool untranslated; /* the language could not translate the program: no part of it has run */
        bool discard;      /* the slot can't be trusted afterwards */
        bool full;         /* the owner did not take all output: no more is read before run_resume */
        bool telling;      /* a call of ops->output is under way */
        bool said;         /* the owner got the task's said_out and said_err */

        struct timer timer; /* for the wall limit, or for the guard of the present state */
        struct timer cpu_timer;
        struct timer look_timer; /* output stays in the pipes until this timer fires */
        int64_t look_us;         /* the length of that delay */
        struct event job_writable, stdin_writable, first_output, out_readable, err_readable;
        uint8_t *job_head;
        struct job_file *job_files;
        struct feed job, input;
        struct capture out, err;
        uint64_t told[2]; /* bytes of each stream that ops->output took; out and err hold later bytes */

        struct report report;
        struct collector *collector;
};

/* r is zeroed memory. -EIO: its timers can't be made. */
int run_init(struct run *r, struct run_host *host, const struct run_ops *ops);

/* Frees what the run holds. The run must not be under way, and may be begun again afterwards. */
void run_fini(struct run *r);

/* Begins the run in a slot that was just moved to RUNNING for it. The slot's zygote must accept the task's limits. If
 * the task has a terminal, the slot's sandbox is replaced by one with a terminal. A run that was over may be begun
 * again after run_fini. The run may be over before this function returns. */
void run_begin(struct run *r, struct slot *slot, const struct run_task *task);

/* Has everything in the run's sandbox killed. If it is called several times, the first reason counts. */
void run_kill(struct run *r, enum kill_reason reason);

/* True if the run has a slot, and its job is not handed over yet: its state is LIMITING, CLEARING or MAKING. */
bool run_is_getting_ready(const struct run *r);

/* For a run that is getting ready: gives its slot back, and calls none of ops. */
void run_give_back(struct run *r);

/* The owner does not wait for the run any more, so the run ends as soon as it can. True: it is over already, and ended
 * is not called. */
bool run_abandon(struct run *r);

/* The owner may take more output. It gets the kept output, and then output is read again. Does nothing within
 * ops->output. */
void run_resume(struct run *r);

/* For a run that streams: gives the owner the kept output, which the owner did not take before. False: the owner still
 * does not take all of it. */
bool run_tell_kept(struct run *r);

/* There is more live input, or the end of live input has come. */
void run_input(struct run *r);

/* -ESRCH: its program does not run. */
int run_signal(struct run *r, int number);

/* For a run whose slot is given back: frees the job, which is not needed any more. */
void run_forget_job(struct run *r);

/* Sets the size of the terminal that the run has, or will have. */
void run_resize(struct run *r, const struct terminal_size *size);

/* Bytes of memory that the run holds. */
uint64_t run_weight(const struct run *r);

/* True if the program wrote more to this stream than the output limit allows. */
bool run_is_over(const struct run *r, bool is_stderr);
