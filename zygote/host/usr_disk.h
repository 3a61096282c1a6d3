/* The disk that /usr lies on, whose reads the cgroup controller blkio (on v2: io) can limit for each slot: a run that
 * reads /usr waits for its own share of the disk, and what others have in the page cache costs it nothing. */
#pragma once

#include "proto/base/err.h"
#include "zygote/host/cgroup.h"

#include <stdbool.h>
#include <stdint.h>

enum { USR_DISK_SIZE = 24, USR_DISK_LIMIT_SIZE = 48 };

/* Finds out whether groups below tree, which cgroup_create_instance has made, can be limited. disk becomes the device's
 * "MAJOR:MINOR"; or "", with an error whose sentence says why not. */
int usr_disk_find(const struct cgroup_tree *tree, char disk[USR_DISK_SIZE], struct err *e);

/* What a slot's group is told, by the version of its hierarchy; see struct cgroup_base. 0: no limit. */
void usr_disk_limit(const char *disk, uint64_t bytes_per_second, bool v2, char limit[USR_DISK_LIMIT_SIZE]);
