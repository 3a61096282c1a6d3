/* What a program finds in /proc about the machine that it runs on: /proc/meminfo, cpuinfo, stat, uptime and loadavg,
 * without which Node has no processors, and `free` and `ps` fail. They are made up: memory is the run's limit,
 * processors are those that it may use, what is counted is zero, and the time since the boot is that of CLOCK_BOOTTIME
 * when the sandbox was made.
 *
 * The slot's /proc shows processes alone (subset=pid), so there are no such names to mount something over. The kernel
 * takes that option also later, and then finds a name only where it is in memory. So the /proc is made whole, the files
 * are mounted over those names, which keeps them in memory, and then the rest is closed, for good, before any program
 * has seen it.
 *
 * The files are the slot's own, since locks on common ones would be seen by others; what a run locks is looked at as
 * all that a slot keeps (leftover.h). A program can read them, and nothing else. Needs Linux 6.15, where mounts can be
 * put together before they are attached; before that /proc has processes alone. */
#pragma once

#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* The first two change from run to run. */
enum facts_file { FACTS_MEMINFO, FACTS_UPTIME, FACTS_CPUINFO, FACTS_STAT, FACTS_LOADAVG, FACTS_FILES };

/* Of a zygote: the tmpfs that the files of its slots are on, which is attached nowhere. */
struct facts_base {
        bool usable;      /* else this kernel can't do it, and there is nothing to be owned */
        int disk;         /* owned */
        int same_for_all; /* owned: what slots begin with, a directory */
};

/* Of a slot: its files, opened for writing, or -1. All are owned. */
struct facts {
        int fd[FACTS_FILES];
};

/* To be called in the zygote's own root, whose /proc tells of the host. */
int facts_base_init(struct facts_base *b, struct err *e);
void facts_base_fini(struct facts_base *b);

/* Shows the files of this slot in its /proc, a detached mount of a whole one, and closes all else that is no process.
 * That is proved. f is to be released by facts_close in every case. */
int facts_open(struct facts *f, const struct facts_base *b, uint32_t slot, int proc, struct err *e);
void facts_init(struct facts *f);
void facts_close(struct facts *f);

/* What the next run is to find: its limit of memory, and the time. */
int facts_tell(const struct facts *f, int64_t memory_bytes, struct err *e);
