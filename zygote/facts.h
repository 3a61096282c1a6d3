/* Makes the files of /proc that describe the machine: meminfo, cpuinfo, stat, uptime and loadavg. Without them Node
 * finds no processors, and `free` and `ps` fail. Their contents are made up. Memory is the run's limit, and processors
 * are those that the run may use. Counters are zero. The uptime is that of the host when the sandbox was made
 * (CLOCK_BOOTTIME).
 *
 * The slot's /proc shows only processes (subset=pid), so it lacks the names over which the files would be mounted. But
 * subset=pid can be set later, too: then the kernel finds only those other names that are in memory already. So /proc
 * is first made without it. Mounting the files over their names keeps these names in memory. Then subset=pid hides all
 * other names for good, before any program has seen them.
 *
 * Each slot has files of its own, since runs in other slots would see locks on shared files. After a run leftover.h
 * looks for locks on these files, as on everything that a slot keeps. A program can only read the files. This needs
 * Linux 6.15, where mounts can be put together before they are attached. Before Linux 6.15 /proc shows only
 * processes. */
#pragma once

#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* The first two change from run to run. */
enum facts_file { FACTS_MEMINFO, FACTS_UPTIME, FACTS_CPUINFO, FACTS_STAT, FACTS_LOADAVG, FACTS_FILES };

/* A zygote's part: the tmpfs with the files of its slots, which is attached nowhere. */
struct facts_base {
        bool usable;      /* false: this kernel can't do it, and nothing is owned */
        int disk;         /* owned */
        int same_for_all; /* owned: a directory with the files that slots begin with */
};

/* A slot's part: its files, opened for writing, or -1. All are owned. */
struct facts {
        int fd[FACTS_FILES];
};

/* Call it in the zygote's own root, whose /proc shows the host. */
int facts_base_init(struct facts_base *b, struct err *e);
void facts_base_fini(struct facts_base *b);

/* Shows the files of this slot in its /proc. proc is a detached mount of a /proc without subset=pid. Hides all other
 * names that are not processes, and proves it. facts_close releases f in every case. */
int facts_open(struct facts *f, const struct facts_base *b, uint32_t slot, int proc, struct err *e);
void facts_init(struct facts *f);
void facts_close(struct facts *f);

/* Writes the next run's values: its memory limit, and the time. */
int facts_tell(const struct facts *f, int64_t memory_bytes, struct err *e);
