/* A server that was killed could not remove its cgroups. The next server removes them, whatever its own number. */
#pragma once

#include "hatcheryd/instance.h"
#include "proto/base/log.h"
#include "zygote/host/cgroup.h"

/* Removes the groups of dead servers, if no process is left in them, beside the groups of this instance (which tree
 * points to). It also removes all groups below this instance's own, so it is called before any are made there.
 * Meanwhile it holds the dead server's number, so that no new server can take the number and lose its groups. */
void leftovers_remove(const struct cgroup_tree *tree, const struct instance *own, const struct log *log);
