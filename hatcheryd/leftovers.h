/* A server that was killed could not remove its cgroups. The next server removes them, even if it has another
 * number. */
#pragma once

#include "hatcheryd/instance.h"
#include "proto/base/log.h"
#include "zygote/host/cgroup.h"

/* Removes the groups of dead servers that lie beside the groups of this instance (tree), if no process is left in them.
 * It also removes all groups below this instance's own, so it must be called before any group is made there. While it
 * removes the groups of a dead server, it holds the lock of that server's number. So no new server can take the number
 * and lose its groups. */
void leftovers_remove(const struct cgroup_tree *tree, const struct instance *own, const struct log *log);
