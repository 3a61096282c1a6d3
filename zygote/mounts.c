/* The file system of one sandbox: see mounts.h. */
#include "zygote/mounts.h"

#include "zygote/newmount.h"
#include "zygote/root.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The upper layer's directories. What a program may write to is opaque: it hides the empty directory of the same name
 * in the lower layer instead of merging with it. For a merged directory that is read the kernel keeps a list of its
 * names, one per open descriptor if the directory changes in between, and this memory counts against no limit. */
struct directory_row {
        const char *path;
        mode_t mode;
        bool opaque;
};

static const struct directory_row directories[] = {
        { "work", 0755, false },          { "upper", 0755, false },     { "upper/home", 0755, false },
        { MOUNTS_HOME, 0755, true },      { "upper/tmp", 01777, true }, { "upper/var", 0755, false },
        { "upper/var/tmp", 01777, true }, { "upper/dev", 0755, false }, { "upper/dev/shm", 01777, true },
};

/* In the tmpfs, which is the current directory. */
static int make_directory(const struct directory_row *d)
{
        if (mkdir(d->path, d->mode) < 0)
                return -errno;
        return d->opaque && setxattr(d->path, "trusted.overlay.opaque", "y", 1, 0) < 0 ? -errno : 0;
}

int mounts_disk(struct mounts *m)
{
        char size[32], inodes[16];
        snprintf(size, sizeof size, "%" PRId64, m->disk_bytes);
        snprintf(inodes, sizeof inodes, "%" PRIu32, m->inodes);
        struct fs_option options[] = { { "size", size }, { "nr_inodes", inodes }, { "mode", "755" } };

        m->disk = newmount_make("tmpfs", options, 3, MOUNT_ATTR_NOSUID);
        if (m->disk < 0)
                return m->disk;
        if (fchdir(m->disk) < 0)
                return -errno;
        umask(0); /* the modes below are meant as they stand */
        int r = 0;
        for (size_t i = 0; i < sizeof directories / sizeof directories[0] && r == 0; i++)
                r = make_directory(&directories[i]);
        umask(022);
        if (r < 0)
                return r;
        return chown(MOUNTS_HOME, m->host_uid, m->host_gid) < 0 ? -errno : 0;
}

/* Locks, leases and what else the kernel keeps by inode would be common to all sandboxes and to the host, were /usr the
 * host's own. The inodes of an overlay are its own; what they show is read through it. An overlay that nobody can write
 * to must have two layers, so there is an empty directory, and it comes first: statfs tells the sizes of the first
 * layer's file system, which is then not the host's disk. */
int mounts_usr(struct mounts *m)
{
        static const struct fs_option options[] = { { "lowerdir", ROOT_EMPTY ":/usr" }, { "source", "hatchery" } };
        m->usr = newmount_make("overlay", options, 2, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
        return m->usr < 0 ? m->usr : 0;
}

int mounts_overlay(struct mounts *m)
{
        /* Before Linux 6.15 an overlay takes its upper layer only from a mount that is attached in the caller's own
         * mount namespace. The overlay itself then covers it, and the pivot detaches it with all that is old. The
         * layers are named relative to the tmpfs. The lower one is the zygote's root, /usr and /proc left out, since an
         * overlay does not cross mounts. */
        struct fs_option options[] = {
                { "lowerdir", "/" }, { "upperdir", "upper" },  { "workdir", "work" },
                { "xino", "on" },    { "source", "hatchery" },
        };
        int r = newmount_attach(m->disk, AT_FDCWD, ROOT_MOUNT_POINT);
        if (r < 0)
                return r;
        if (fchdir(m->disk) < 0)
                return -errno;
        m->overlay = newmount_make("overlay", options, 5, MOUNT_ATTR_NOSUID);
        if (m->overlay < 0)
                return m->overlay;
        return newmount_attach(m->overlay, AT_FDCWD, ROOT_MOUNT_POINT);
}

/* A copy of the slot's one, or, where the kernel copies no mount of a namespace that is not the caller's (before Linux
 * 6.15), a new one, which takes 70 to 110 us. The caller is in the slot's pid namespace. */
static int proc_of_slot(const struct mounts *m)
{
        int proc = newmount_clone(m->proc, "");
        return proc == -EINVAL ? newmount_proc() : proc;
}

int mounts_bind(struct mounts *m)
{
        if (m->usr < 0) /* a test leaves out the overlay */
                m->usr = newmount_clone(AT_FDCWD, "/usr");
        if (m->usr < 0)
                return m->usr;
        int r = newmount_attach(m->usr, m->overlay, "usr");
        close(m->usr);
        m->usr = -1;
        if (r < 0)
                return r;

        int proc = proc_of_slot(m);
        if (proc < 0)
                return proc;
        r = newmount_attach(proc, m->overlay, "proc");
        close(proc);
        return r;
}

int mounts_pivot(struct mounts *m)
{
        if (fchdir(m->overlay) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
                return -errno;
        close(m->overlay);
        m->overlay = -1;
        return chdir(ROOT_HOME) < 0 ? -errno : 0;
}

int mounts_resize(int disk, int64_t disk_bytes)
{
        char size[32];
        snprintf(size, sizeof size, "%" PRId64, disk_bytes);
        struct fs_option options[] = { { "size", size } };
        return newmount_reconfigure(disk, options, 1);
}

int64_t mounts_used(int disk, int *full)
{
        struct statfs s;
        *full = 0;
        if (fstatfs(disk, &s) < 0)
                return -errno;
        *full = s.f_bfree == 0 || s.f_ffree == 0;
        return (int64_t)(s.f_blocks - s.f_bfree) * s.f_bsize;
}
