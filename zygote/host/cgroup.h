/* Where this host keeps its cgroups, found and prepared through libcgroup: once per server, by the supervisor. The
 * groups of single slots, which are on the hot path, are cgroup_slot.h's and use cached descriptors alone.
 *
 * Each of the controllers is looked up by itself, since a hybrid host has some on v1 and some on v2. Everything is
 * made below the cgroup that the caller lives in, so that a container's or a unit's own accounting still counts us. */
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

/* What is known of one controller, for --check-host: 1 or 2 for the version, 0 where it is not available. */
int cgroup_version(const struct cgroup_tree *tree, enum cgroup_controller_bit controller);

/* Makes the group name below each own group, and makes tree point to it. On v2 this enables the controllers for
 * children, which the kernel allows only in a group without processes. Where the caller is in the way, it is moved
 * aside into name-main until the instance is removed; where others are, the nearest group above that has none will do,
 * and is_elsewhere says so. A v1 hierarchy of blkio alone that takes no group leaves the tree. */
int cgroup_create_instance(struct cgroup_tree *tree, const char *name, struct err *e);

/* Removes an instance with everything below, once no process is left in it: -EBUSY while there is one, because deleting
 * a populated group would move its processes to the parent, out of all limits. */
int cgroup_remove_instance(const struct cgroup_tree *tree, struct err *e);

/* Removes what one zygote left below the instance (groups called PREFIX-N and PREFIX-init); -EBUSY while a process is
 * in one of them. */
int cgroup_remove_slots(const struct cgroup_tree *tree, const char *prefix, struct err *e);
