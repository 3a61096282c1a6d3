/* The places of this host's cgroups. The supervisor finds and prepares them through libcgroup, once per server.
 * cgroup_slot.h handles the groups of single slots, which are on the hot path, by cached descriptors only.
 *
 * Each controller is looked up separately, since a hybrid host has some on v1 and some on v2. Groups are made below the
 * caller's own cgroup if possible, so that a container's or a unit's own accounting still counts the server. */
#pragma once

#include "proto/base/err.h"
#include "zygote/base/hierarchy.h"

#include <stdbool.h>
#include <stddef.h>

struct cgroup_tree {
        struct cgroup_hierarchy at[CGROUP_MAX_HIERARCHIES];
        size_t n;
};

/* Finds the caller's own groups. An error names the controller that is missing, with the remedy. */
int cgroup_find(struct cgroup_tree *tree, struct err *e);

/* The version of one controller, for --check-host: 1 or 2, or 0 if it is not available. */
int cgroup_version(const struct cgroup_tree *tree, enum cgroup_controller_bit controller);

/* Makes the group name below each own group, and makes tree point to it. On v2 this enables the controllers for
 * children, which the kernel allows only in a group without processes. If the caller is in that group, it is moved into
 * name-main until the instance is removed. If other processes are in it, the nearest group above without processes is
 * used, and is_elsewhere says so. A v1 hierarchy with blkio only is removed from the tree if it takes no new group. */
int cgroup_create_instance(struct cgroup_tree *tree, const char *name, struct err *e);

/* Removes an instance with everything below, once no process is left in it: -EBUSY while there is one, because deleting
 * a populated group would move its processes to the parent, out of all limits. */
int cgroup_remove_instance(const struct cgroup_tree *tree, struct err *e);

/* Removes the groups of one zygote below the instance (PREFIX-N and PREFIX-init); -EBUSY while a process is in one of
 * them. */
int cgroup_remove_slots(const struct cgroup_tree *tree, const char *prefix, struct err *e);
