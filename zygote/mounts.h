/* The file system of one sandbox: a size- and inode-limited tmpfs as the upper layer, the overlay over the zygote's
 * root, a view of /usr that no other sandbox shares, /proc bound in, pivot_root, and nothing else left. Runs in the
 * child, as root, in its own mount namespace. Measured on Linux 6.18 (us): tmpfs 15, directories 40, overlay 80, /usr
 * 30, /proc 8, pivot and detach 48.
 */
#pragma once

#include <stdint.h>

struct mounts {
        /* in */
        int64_t disk_bytes;
        uint32_t inodes;
        uint32_t host_uid, host_gid; /* who owns the work directory, as the host counts */
        int proc;                    /* borrowed: a detached mount of the slot's /proc */
        /* out */
        int disk;    /* owned: the tmpfs; MOUNTS_HOME below it is the work directory's upper layer */
        int usr;     /* owned: the overlay for /usr, until it is in place; -1 before */
        int overlay; /* owned: the root, until it has been entered */
};

#define MOUNTS_HOME "upper/home/sandbox"

int mounts_disk(struct mounts *m);
int mounts_usr(struct mounts *m);
int mounts_overlay(struct mounts *m);
int mounts_bind(struct mounts *m);
int mounts_pivot(struct mounts *m);

/* Gives the tmpfs another size. From outside, through its descriptor. */
int mounts_resize(int disk, int64_t disk_bytes);

/* What the tmpfs holds, in bytes; *full is set where no byte or no inode is left. */
int64_t mounts_used(int disk, int *full);
