/* The file system of one sandbox: a read-only root and /usr, each an overlay whose inodes no other sandbox shares; a
 * /proc; and a size- and inode-limited tmpfs, whose parts lie where a program may write. This code runs in the child,
 * as root. It puts the file system together in a mount namespace that began empty, so nothing has to be detached at the
 * end. Detaching, and pivot_root, which looks at every thread of the machine, took 60 us and waited for all processors.
 */
#pragma once

#include "zygote/base/paths.h"

#include <stdint.h>

struct mounts {
        /* in */
        int64_t disk_bytes;
        uint32_t inodes;
        uint32_t host_uid, host_gid; /* the owner of the work directory, in the host's ids */
        int proc;                    /* borrowed: a detached mount of the slot's /proc */
        int empty_namespace;         /* borrowed: what root_empty_namespace gave */
        const struct paths *paths;   /* borrowed: directories besides /usr */
        /* out */
        int disk;            /* owned: the tmpfs; MOUNTS_HOME below it is the work directory */
        int usr;             /* owned until it is in place; -1 before it is made */
        int root;            /* owned until it is entered */
        int more[PATHS_MAX]; /* owned until they are in place: one for each of paths */
        size_t n_more;
        int devpts; /* owned, until it is in place; -1: the sandbox has no terminal */
};

#define MOUNTS_HOME "home"

/* To be called in this order. The first four make file systems that are attached nowhere. */
int mounts_disk(struct mounts *m);
int mounts_usr(struct mounts *m);
int mounts_paths(struct mounts *m);
int mounts_root(struct mounts *m);

/* mounts_leave moves the caller from the zygote's mount namespace to the empty one. mounts_own_namespace gives the
 * caller its own copy of the empty one. */
int mounts_leave(struct mounts *m);
int mounts_own_namespace(struct mounts *m);

int mounts_attach(struct mounts *m);
int mounts_enter(struct mounts *m);

/* Gives the tmpfs another size, from outside of the sandbox, through the descriptor of the tmpfs. */
int mounts_resize(int disk, int64_t disk_bytes);

/* The bytes that the tmpfs holds; *full is set if no byte or no inode is left. */
int64_t mounts_used(int disk, int *full);
