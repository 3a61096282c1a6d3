/* The disk that /usr lies on. The cgroup controller blkio (on v2: io) can limit each slot's reads of it. A run that
 * reads /usr then waits for its own share of the disk. Pages that are in the cache already are not counted. */
#pragma once

#include "proto/base/err.h"
#include "zygote/host/cgroup.h"

#include <stdbool.h>
#include <stdint.h>

enum { USR_DISK_SIZE = 24, USR_DISK_LIMIT_SIZE = 48 };

/* Finds out whether groups below tree, which cgroup_create_instance has made, can be limited. disk becomes the device's
 * "MAJOR:MINOR"; or "", with an error whose sentence says why not. */
int usr_disk_find(const struct cgroup_tree *tree, char disk[USR_DISK_SIZE], struct err *e);

/* The text that limits a slot's group, for the version of its hierarchy; see struct cgroup_base. 0: no limit. */
void usr_disk_limit(const char *disk, uint64_t bytes_per_second, bool v2, char limit[USR_DISK_LIMIT_SIZE]);
