/* A cell is the part of a slot that the zygote keeps for all its sandboxes: an init with its pid, user and network
 * namespaces, a /proc for that pid namespace, two host uids and a cgroup. All of it takes long to make, and holds no
 * state of a run. */
#pragma once

#include "proto/base/err.h"
#include "zygote/aside.h"
#include "zygote/base/fault.h"
#include "zygote/cgroup_slot.h"
#include "zygote/facts.h"
#include "zygote/init/init.h"
#include "zygote/leftover.h"

#include <linux/sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Host uids per slot: one for init (root of the namespace), one for the program. */
enum { CELL_UIDS = 2 };

/* A cell lies in hidden memory. */
struct cell {
        uint32_t number;
        uint32_t host_uid; /* of the program, and its gid; init has the one below */
        pid_t init_pid;
        int init_pidfd; /* owned, like all below */
        int init_sock;  /* non-blocking */
        int proc;       /* a detached mount */
        int pid_ns, user_ns, net_ns;
        struct facts facts;       /* the files in that /proc that describe the machine */
        struct leftover leftover; /* checks what a run may have left in the namespaces and in /proc */
        struct cgroup_slot cgroup;
};

/* The data for the fork of an init. Children get a copy of this data, and of nothing else that the zygote knows about
 * cells. */
struct cell_birth {
        struct clone_args args;
        int program, sock;
        int join[CGROUP_MAX_HIERARCHIES];
        const char *faults; /* or NULL */
};

/* Everything that cells are made from. */
struct cell_maker {
        struct cell_birth *birth; /* borrowed, as aside */
        struct aside *aside;      /* or NULL */

        int init_program;  /* a descriptor of the hatchery-init binary */
        uint32_t uid_base; /* slot n uses the host uids uid_base + 2n and uid_base + 2n + 1 */
        struct cgroup_base cgroups;
        struct cgroup_slot inits; /* the group that inits live in */
        struct faults faults;     /* handed on to inits */
        struct facts_base facts;
};

/* Makes a cell; takes some 2 ms and waits for init meanwhile. The maker must outlive the cell. */
int cell_new(struct cell **out, uint32_t number, const struct cell_maker *maker, struct err *e);

/* Kills init and with it everything in the pid namespace, and does not wait. */
void cell_kill(struct cell *cell);

/* Lets init finish the orders that it has, and end by itself. Init must be the last process of its namespace. Does not
 * wait. */
void cell_let_end(struct cell *cell);

/* After cell_kill or cell_let_end: has the cell ended? The death of thousands of processes and of their memory can take
 * many seconds. */
bool cell_is_dead(struct cell *cell);

/* Kills init and with it everything in the pid namespace, waits for init, removes the cgroup. Accepts NULL. -EBUSY with
 * a sentence if the cgroup is still not empty: the cgroup then stays. */
int cell_free(struct cell *cell, struct err *e);

/* After a fork into a slot, all later children of the zygote would be born into that slot's pid namespace. This sets
 * the zygote's own pid namespace for them again. */
int cell_leave_namespace(struct err *e);

/* Sends init a packet of this kind; fds are borrowed. */
int cell_tell(struct cell *cell, enum init_kind kind, const int *fds, size_t n_fds, struct err *e);

/* Reads a packet of init: 1 and *kind, 0 if init is gone, -EAGAIN if there is no packet. */
int cell_hear(struct cell *cell, enum init_kind *kind, struct err *e);
