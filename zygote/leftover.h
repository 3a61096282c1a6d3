/* Finds what a dead run has left in the namespaces and the /proc that its slot keeps. The kernel puts some work off
 * until after the death of a process. Sockets that were sent through each other wait for a garbage collector. Files
 * that were in flight with them are closed a tick of the clock later, some of them when all sockets are gone. Until
 * then a later program would find their names and their locks. So the zygote checks two things, both through
 * descriptors that it opens once: the number of sockets in the network namespace, and locks on the files that the slot
 * keeps.
 *
 * A lock by flock can only be found by trying to lock. The zygote holds these locks itself, so that no program gets
 * one. It can't hold record locks (fcntl): on a file that can't be written to, they exclude no other lock. */
#pragma once

#include "proto/base/err.h"
#include "zygote/facts.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* LEFTOVER_KEPT: three namespaces, and the files of facts.h. LEFTOVER_LOCKS: these, and the root of /proc. */
enum { LEFTOVER_KEPT = 3 + FACTS_FILES, LEFTOVER_LOCKS = 1 + LEFTOVER_KEPT };

struct leftover {
        int sockstat;             /* owned; -1: not open */
        int proc;                 /* owned: the root of the slot's /proc; -1: not open */
        int lock[LEFTOVER_LOCKS]; /* proc, and the borrowed files that a program could lock */
};

/* Call it before init gives up its privilege, which closes init's entries in /proc. proc is the slot's mount of /proc.
 * kept has the other files that can be locked; -1 for a missing one. The caller still owns all these descriptors. */
int leftover_open(struct leftover *l, pid_t init, int proc, const int kept[LEFTOVER_KEPT], struct err *e);
void leftover_close(struct leftover *l);

/* Call it when no process is left. True: the run has left nothing. Takes 4 us. */
bool leftover_is_none(const struct leftover *l);

/* The number of sockets in the text of /proc/PID/net/sockstat; -1: the text has none. */
long leftover_sockets(const char *text, size_t size);
