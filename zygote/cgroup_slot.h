/* The cgroup of one slot, kept from sandbox to sandbox. Limits are written and counters read through descriptors that
 * are opened once. (A pread or pwrite costs about 1 us; opening, parsing and closing by path or library costs 100 to
 * 1,000 times that.)
 *
 * Writing another process's pid into a v1 cgroup.procs can take 10 ms. A sandbox avoids that: on v1 the child writes
 * "0" to the kept `tasks` descriptor (5 to 9 us here), on v2 it is born inside by CLONE_INTO_CGROUP. */
#pragma once

#include "proto/base/err.h"
#include "zygote/base/hierarchy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Directories of the instance, one per hierarchy, below which slots are made. */
struct cgroup_base {
        struct {
                int dir; /* owned */
                bool v2;
                unsigned controllers;
        } at[CGROUP_MAX_HIERARCHIES];
        size_t n;
        char name[48];      /* the prefix of the slots' groups */
        char disk_read[48]; /* the limit of each slot's disk reads, as usr_disk_limit writes it; "": no limit */
};

int cgroup_base_init(struct cgroup_base *b, const struct cgroup_hierarchy *h, size_t n, const char *name,
                     struct err *e);
void cgroup_base_fini(struct cgroup_base *b);

enum cgroup_file {
        CGROUP_FILE_MEMORY_LIMIT,
        CGROUP_FILE_SWAP_LIMIT, /* v1: memory and swap together; v2: swap alone */
        CGROUP_FILE_MEMORY_PEAK,
        CGROUP_FILE_MEMORY_NOW,
        CGROUP_FILE_MEMORY_RECLAIM,
        CGROUP_FILE_OOM,
        CGROUP_FILE_PIDS_LIMIT,
        CGROUP_FILE_PIDS_NOW,
        CGROUP_FILE_PIDS_PEAK,
        CGROUP_FILE_PIDS_EVENTS,
        CGROUP_FILE_CPU,
        CGROUP_FILE_CPU_USER, /* on v2 this one and the next are the same file as CPU */
        CGROUP_FILE_CPU_SYSTEM,
        CGROUP_FILE_COUNT,
};

struct cgroup_slot {
        const struct cgroup_base *base;
        uint32_t number;                  /* the slot's, or CGROUP_SLOT_INITS */
        int dir[CGROUP_MAX_HIERARCHIES];  /* owned: the group's directory on v2; -1 on v1 */
        int join[CGROUP_MAX_HIERARCHIES]; /* owned; v1's tasks, to which a child writes 0; -1 on v2 */
        int file[CGROUP_FILE_COUNT];      /* owned; -1 where this kernel has no such file */
        int into;                         /* borrowed: the directory for CLONE_INTO_CGROUP, or -1 */
        bool peak_resets; /* the peak of memory can be reset; if not, the group is made anew each time */
        int64_t residue;  /* bytes that earlier runs left charged; subtracted from the next run's peak */
        int64_t memory_limit, pids_limit; /* as last set */
        unsigned n_warm;                  /* number of calls of cgroup_slot_weigh */
        int64_t oom_base, denied_base;
        int64_t cpu_base_us, user_base, system_base; /* the last two in the file's own unit */
};

/* The group of all inits of a language. Their memory counts for the server, and the server ends after
 * them. */
enum { CGROUP_SLOT_INITS = 0xffff };

/* One run's usage, as the kernel counted it. */
struct cgroup_usage {
        uint32_t oom_kills;
        uint32_t processes_peak; /* 0: unknown */
        uint64_t pids_denied;    /* forks that the limit of processes refused */
        uint64_t cpu_us;
        uint64_t cpu_user_us; /* the part in user mode; the rest was in the kernel */
        uint64_t memory_peak_bytes;
};

int cgroup_slot_init(struct cgroup_slot *c, const struct cgroup_base *base, uint32_t number, struct err *e);

/* Removes the group; -EBUSY while a process is in it. Descriptors are closed in any case. Idempotent. */
int cgroup_slot_fini(struct cgroup_slot *c, struct err *e);

/* Before a sandbox is forked into the empty group, makes the group anew in two cases:
 * - Earlier runs have left much memory charged to the group, such as names that were looked up and pages of files. That
 *   memory would count for the next run.
 * - A peak can't be reset, and is more than that of one idle process. (The peak of processes can never be reset.
 *   The peak of memory can be reset on v1, and on v2 from Linux 6.12.) */
int cgroup_slot_renew(struct cgroup_slot *c, struct err *e);

/* The descriptor (borrowed) by which the kernel is told to free the memory that is still charged to an empty group. -1:
 * so little is charged that cgroup_slot_renew keeps the group. Removing a group does not free that memory. It would
 * stay charged to the group above for good, where no limit counts it. */
int cgroup_slot_residue(const struct cgroup_slot *c);

/* Sets both limits, and writes only the one that changes. -EBUSY: more memory is in use than the limit. */
int cgroup_slot_limit(struct cgroup_slot *c, int64_t memory_bytes, int64_t pids, struct err *e);

/* To be called when the sandbox is warm: usage until now does not count for the run. */
void cgroup_slot_start(struct cgroup_slot *c);

/* The usage since cgroup_slot_start. */
void cgroup_slot_usage(const struct cgroup_slot *c, struct cgroup_usage *u);

/* How many bytes a sandbox that just became warm has charged to the group, to some 100 KiB. 0: not measured, which
 * saves a microsecond. The slot's first sandbox is measured, and then each eighth. */
uint64_t cgroup_slot_weigh(struct cgroup_slot *c);

/* Processes and threads in the group, dead but unreaped ones included; negative errno. */
int64_t cgroup_slot_pids(const struct cgroup_slot *c);
