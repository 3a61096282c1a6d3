/* The pool and a zygote talk in packets of fixed size over a SOCK_SEQPACKET socket pair. Descriptors come with some
 * packets. This file is the whole interface between the two: the pool gives orders, the zygote reports, and nothing
 * else passes.
 *
 * The zygote speaks first: it sends REPORT_HELLO when its interpreter is initialised. After that it answers every order
 * by the report that is named beside the order. Answers about different slots may come in any order. REPORT_EXITED also
 * comes without an order. An order about a sandbox that the slot no longer has is not a mistake: it is late, and is
 * ignored. Other mistakes end the process that received the packet: a wrong size or kind, a number out of bounds, an
 * order that the slot's state forbids. Then one of the two processes is broken, and the supervisor starts a new one.
 * End of file from the pool ends the zygote and all its sandboxes. */
#pragma once

#include "proto/base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { CHANNEL_MAX_FDS = 8, CHANNEL_MAX_SLOTS = 1024, CHANNEL_STEP_SIZE = 32, CHANNEL_MAX_SIGNAL = 31 };

enum order_kind {
        /* -> WARM or FAILED. The slot is new, or its sandbox is DEAD; the rest of a dead sandbox is removed first */
        ORDER_MAKE = 1,
        ORDER_LIMIT,   /* -> LIMITED or FAILED. Sets the three limits that the kernel keeps, of a warm sandbox */
        ORDER_KILL,    /* -> EXITED. Kills a warm or running sandbox */
        ORDER_COLLECT, /* -> nothing. Collects files of a DEAD sandbox; with one descriptor, a socket: see collect.h */
        ORDER_CLEAR,   /* -> nothing. The rest of a DEAD sandbox is removed; no new one is made, the slot stays */
        ORDER_DROP,    /* -> DROPPED. The slot with its init, namespaces and cgroup is removed; its sandbox is DEAD, or
                        * it has none */
        ORDER_DRAIN,   /* -> end of file. Everything is killed and removed, the zygote exits */
        ORDER_PING,    /* -> PONG. Concerns no slot: does the zygote hang? */
        ORDER_SIGNAL,  /* -> nothing. The processes of a running sandbox's program get a signal */
};

/* The highest values that a zygote accepts for the limits that the kernel keeps. A pool orders more only if it is
 * broken. */
struct ceilings {
        int64_t memory_bytes;
        int64_t disk_bytes;
        int64_t pids;
};

struct order {
        uint32_t kind;
        uint32_t slot;        /* below CHANNEL_MAX_SLOTS */
        uint64_t sandbox;     /* the pool's number for this sandbox: each MAKE has a higher one than the MAKE before */
        int64_t memory_bytes; /* MAKE and LIMIT: these three limits, each from 1 to the zygote's ceiling */
        int64_t disk_bytes;
        int64_t pids;
        uint32_t urgent;   /* MAKE: 1 if a request waits, so that there is no rehearsal; else 0 */
        uint32_t signal;   /* SIGNAL: the signal's number, 1 to CHANNEL_MAX_SIGNAL; else 0 */
        uint32_t terminal; /* MAKE: 1 if the sandbox gets a terminal of its own (see WARM_STDIN); else 0 */
        uint32_t unused;
};

enum report_kind {
        /* The first report, sent once: facts about the zygote's language. It has one descriptor for patience_read, the
         * zygote's /proc/PID/schedstat, if the kernel has this file */
        REPORT_HELLO = 1,
        REPORT_PRELOAD, /* once for each module to preload, right after the hello */
        REPORT_WARM,    /* with CHANNEL_WARM_FDS descriptors, in the order of enum warm_fd */
        REPORT_LIMITED,
        REPORT_EXITED, /* every process of the sandbox is dead and reaped; not proved if unproved is set */
        REPORT_DROPPED,
        REPORT_FAILED, /* an order failed: step and error say where and why; the slot counts as dropped */
        REPORT_PONG,
        REPORT_RETIRED, /* after a MAKE: the slot still held something of its last run, and is first made anew */
};

enum warm_fd {
        WARM_JOB, /* stream socket: the pool writes the job, and may read the answers that job.h lists */
        /* With a terminal, STDIN and STDOUT are both the terminal's master. The pool may only read it, write to it and
         * set its size. STDERR has end of file at once. */
        WARM_STDIN,  /* write end */
        WARM_STDOUT, /* read end */
        WARM_STDERR, /* read end */
        WARM_CPU,    /* read-only; cpu_time_read gives the CPU time used in the slot's cgroup */
        CHANNEL_WARM_FDS,
};

struct report {
        uint32_t kind;
        uint32_t slot;
        uint64_t sandbox;
        union {
                struct {
                        char version[64];    /* "3.11.2" */
                        char main_file[32];  /* the name that inline code gets: "main.py" */
                        char aliases[96];    /* other names of the language, separated by spaces */
                        char extensions[64]; /* of its files, without the dot, separated by spaces; empty if the
                                                language is data */
                        uint32_t kind;       /* enum kind */
                        uint32_t echoes;     /* echo_last_expression has an effect */
                        uint32_t prompts;    /* the language has a prompt of its own */
                        uint32_t fresh;      /* its interpreter can be started anew, with words of its command line */
                        struct ceilings ceilings;
                } hello;
                struct {
                        char name[64];
                        uint32_t missing;
                        uint32_t unused;
                        uint64_t first_us; /* time of loading the module */
                        uint64_t again_us; /* time of importing it when it is loaded already */
                } preload;
                struct {
                        uint64_t cpu_base_us;  /* the reading of WARM_CPU when the sandbox was ready */
                        uint64_t memory_bytes; /* charged to the slot's cgroup then; 0: not measured this time */
                        int64_t gone_us;       /* CLOCK_MONOTONIC: when nothing was left of the previous sandbox */
                } warm;
                struct {
                        int32_t wait_status; /* of the main process, as wait4 gave it */
                        uint32_t oom_kills;
                        uint32_t processes_peak; /* 0: the kernel does not tell */
                        uint8_t disk_full;
                        uint8_t unproved; /* something may still live in the slot: it must be dropped */
                        uint8_t unused[2];
                        int64_t ended_us; /* CLOCK_MONOTONIC: when the main process was reaped */
                        uint64_t cpu_us;  /* CPU time of all processes since the sandbox was warm */
                        uint64_t cpu_user_us;
                        uint64_t cpu_system_us;
                        uint64_t memory_peak_bytes;
                        uint64_t disk_bytes;
                        uint64_t pids_denied; /* forks that the limit of processes refused since the sandbox was warm */
                } exited;
                struct {
                        char step[CHANNEL_STEP_SIZE];
                        int32_t error; /* an errno */
                        uint32_t unused;
                } failed;
        };
};

/* Sends one packet with n_fds borrowed descriptors. 0, or a negative errno; -EAGAIN, without a sentence, on a full
 * non-blocking socket. */
int channel_send(int sock, const void *packet, size_t size, const int *fds, size_t n_fds, struct err *e);

/* Receives one packet of exactly size bytes. Descriptors go to fds (owned by the caller, close-on-exec), and their
 * number goes to *n_fds. If there are more than max_fds, all are closed, and it is an error. If this process can open
 * no more descriptors, they are lost: *n_fds is 0, and the packet is still good. Returns 1 for a packet, 0 at end of
 * file, -EAGAIN, without a sentence, if there is no packet, and -EPROTO for a wrong size. */
int channel_recv(int sock, void *packet, size_t size, int *fds, size_t max_fds, size_t *n_fds, struct err *e);
