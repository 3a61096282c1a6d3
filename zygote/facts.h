/* Makes the files of /proc that describe the machine: meminfo, cpuinfo, stat, uptime and loadavg. Without them Node
 * finds no processors, and `free` and `ps` fail. Their contents are made up. Memory is the run's limit, and processors
 * are those that it may use. Counters are zero. The time since the boot is CLOCK_BOOTTIME when the sandbox was made.
 *
 * The slot's /proc shows processes alone (subset=pid), so it has no such names to mount a file over. The kernel takes
 * that option also later. Then it finds other names only if they are in memory. So the /proc is made whole first. The
 * files are mounted over those names, which keeps them in memory. Then the rest is closed for good, before any program
 * has seen it.
 *
 * Each slot has files of its own, since other slots would see locks on common ones. Locks of a run are looked for as on
 * all that a slot keeps (leftover.h). A program can only read the files. This needs Linux 6.15, where mounts can be put
 * together before they are attached. Before that /proc has processes alone. */
#pragma once

#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* The first two change from run to run. */
enum facts_file { FACTS_MEMINFO, FACTS_UPTIME, FACTS_CPUINFO, FACTS_STAT, FACTS_LOADAVG, FACTS_FILES };

/* Of a zygote: the tmpfs with the files of its slots, which is attached nowhere. */
struct facts_base {
        bool usable;      /* false: this kernel can't do it, and nothing is owned */
        int disk;         /* owned */
        int same_for_all; /* owned: a directory with the files that slots begin with */
};

/* Of a slot: its files, opened for writing, or -1. All are owned. */
struct facts {
        int fd[FACTS_FILES];
};

/* To be called in the zygote's own root, whose /proc shows the host. */
int facts_base_init(struct facts_base *b, struct err *e);
void facts_base_fini(struct facts_base *b);

/* Shows the files of this slot in its /proc, which is a detached mount of a whole one. Closes all other names that are
 * no processes, and proves it. facts_close releases f in every case. */
int facts_open(struct facts *f, const struct facts_base *b, uint32_t slot, int proc, struct err *e);
void facts_init(struct facts *f);
void facts_close(struct facts *f);

/* Writes the next run's values: its memory limit, and the time. */
int facts_tell(const struct facts *f, int64_t memory_bytes, struct err *e);
