/* A server that was killed could not remove its cgroups. The next one does, whatever its own number. */
#pragma once

#include "hatcheryd/instance.h"
#include "proto/base/log.h"
#include "zygote/host/cgroup.h"

/* Removes the groups beside those of this instance (which tree points to) whose server is dead and in which no process
 * is left, and what is below this instance's own; so it is called before anything is made there. It holds the dead
 * one's number meanwhile, so that no new server can take it and lose its groups. */
void leftovers_remove(const struct cgroup_tree *tree, const struct instance *own, const struct log *log);
