/* Turns a new fork of the zygote into a warm sandbox: the table of steps that builds its walls. */
#pragma once

#include "lang/lang.h"
#include "zygote/base/fault.h"
#include "zygote/base/hierarchy.h"
#include "zygote/base/step.h"
#include "zygote/sandbox/mounts.h"
#include "zygote/sandbox/seccomp.h"
#include "zygote/sandbox/shelf.h"
#include "zygote/sandbox/terminal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Settings that all sandboxes of a zygote share, and may know. */
struct boot_settings {
        const struct lang *lang;
        void *state; /* the language's */
        struct seccomp_program seccomp;
        uint32_t inodes;
        struct paths paths;  /* directories that sandboxes see besides /usr */
        int empty_namespace; /* what root_empty_namespace gave */
        int last_pid;        /* /proc/sys/kernel/ns_last_pid, opened for writing */
        struct faults faults;
        int shelves_end; /* see shelves_leave */
        int report;      /* where a child reports: a SOCK_SEQPACKET socket, shared by all */
};

/* The descriptors that a child finds on its shelf, from its first number on. */
enum boot_fd { BOOT_STDIN, BOOT_STDOUT, BOOT_STDERR, BOOT_JOB, BOOT_PROC, BOOT_USER_NS, BOOT_FDS };
_Static_assert((int)BOOT_FDS <= (int)SHELF_ROOM, "a shelf is too small");

/* What one child needs to know. It is wiped before the child goes on to a program, because numbers of descriptors and
 * of sandboxes tell how many others there are. */
struct boot {
        const struct boot_settings *settings;
        uint64_t sandbox; /* its number */
        uint32_t slot;
        int join[CGROUP_MAX_HIERARCHIES]; /* see hierarchy_join */
        int net_ns;
        int shelf;   /* its first number */
        bool urgent; /* a request waits for it: the rehearsal is left out, since the program does the same work */
        bool wants_terminal;
        struct terminal terminal; /* without its devpts, which is among the mounts */
        struct mounts mounts;
};

/* The child's one report. If step == boot_n_steps, descriptors come with it: the tmpfs, and with a terminal also its
 * master. */
enum { BOOT_REPORT_FDS = 2 };
struct boot_report {
        uint32_t slot;
        uint32_t step; /* boot_n_steps: warm. Else the row that failed */
        uint64_t sandbox;
        int32_t error; /* negative errno */
        uint32_t unused;
};

extern const struct step boot_steps[];
extern const size_t boot_n_steps;

/* The pid of a sandbox's main process in its own namespace, in every run. Init is 1. A counter would tell how many runs
 * a slot has seen. */
enum { BOOT_PID = 2 };

/* In the child: builds the sandbox, reports, waits for the job, runs it, exits. */
_Noreturn void boot_run(struct boot *b);
