/* The file system of one sandbox: a root and a /usr that can only be read, each an overlay whose inodes no other
 * sandbox shares, a /proc, and a size- and inode-limited tmpfs, parts of which lie where a program may write. Runs in
 * the child, as root. It is put together in a mount namespace that began empty, so nothing has to be detached at the
 * end: that, and pivot_root, which looks at every thread of the machine, took 60 us and waited for all processors.
 */
#pragma once

#include "zygote/base/paths.h"

#include <stdint.h>

struct mounts {
        /* in */
        int64_t disk_bytes;
        uint32_t inodes;
        uint32_t host_uid, host_gid; /* who owns the work directory, as the host counts */
        int proc;                    /* borrowed: a detached mount of the slot's /proc */
        int empty_namespace;         /* borrowed: what root_empty_namespace gave */
        const struct paths *paths;   /* borrowed: what is seen besides /usr */
        /* out */
        int disk;            /* owned: the tmpfs; MOUNTS_HOME below it is the work directory */
        int usr;             /* owned, until it is in place, as the next; -1 before */
        int root;            /* owned: until it has been entered */
        int more[PATHS_MAX]; /* owned, until they are in place: one for each of paths */
        size_t n_more;
        int devpts; /* owned, until it is in place; -1: the sandbox has no terminal */
};

#define MOUNTS_HOME "home"

/* In this order. The first four make file systems that are attached nowhere. */
int mounts_disk(struct mounts *m);
int mounts_usr(struct mounts *m);
int mounts_paths(struct mounts *m);
int mounts_root(struct mounts *m);

/* The caller leaves the zygote's mount namespace for the empty one, and takes a copy of its own of that. */
int mounts_leave(struct mounts *m);
int mounts_own_namespace(struct mounts *m);

int mounts_attach(struct mounts *m);
int mounts_enter(struct mounts *m);

/* Gives the tmpfs another size. From outside, through its descriptor. */
int mounts_resize(int disk, int64_t disk_bytes);

/* What the tmpfs holds, in bytes; *full is set where no byte or no inode is left. */
int64_t mounts_used(int disk, int *full);
