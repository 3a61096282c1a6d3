/* One hierarchy of cgroups, with the group below which slots are made. The supervisor finds it (host/cgroup.h) and
 * tells zygotes on their command line. */
#pragma once

#include "proto/base/err.h"

#include <stdbool.h>

enum cgroup_controller_bit {
        CGROUP_MEMORY = 1 << 0,
        CGROUP_PIDS = 1 << 1,
        CGROUP_CPUACCT = 1 << 2, /* on v2 part of every group */
        CGROUP_CPU = 1 << 3,
        CGROUP_BLKIO = 1 << 4, /* io on v2; used there only if another of these controllers is on v2 */
};

enum { CGROUP_MAX_HIERARCHIES = 5, CGROUP_PATH_SIZE = 512, CGROUP_ARG_SIZE = CGROUP_PATH_SIZE + 16 };

struct cgroup_hierarchy {
        bool v2;
        bool made;         /* group belongs to an instance, so it has to be removed */
        bool is_elsewhere; /* the instance is not below the caller's group, so the group's limits don't apply to it */
        unsigned controllers;         /* of enum cgroup_controller_bit */
        char mount[CGROUP_PATH_SIZE]; /* "/sys/fs/cgroup/memory" */
        char group[CGROUP_PATH_SIZE]; /* below the mount, without a leading slash: the caller's own, or an instance's */
};

/* As one word of a command line, and back. */
void hierarchy_to_arg(const struct cgroup_hierarchy *h, char arg[CGROUP_ARG_SIZE]);
int hierarchy_from_arg(struct cgroup_hierarchy *h, const char *arg, struct err *e);

/* The file of a group that limits reads from a disk, by the version of the hierarchy. */
const char *hierarchy_disk_file(bool v2);

/* Moves the caller into groups of v1. Each descriptor is of a group's file `tasks`; -1 is left out. Async-signal-safe.
 * 0, or a negative errno. */
int hierarchy_join(const int join[CGROUP_MAX_HIERARCHIES]);
