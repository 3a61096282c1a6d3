/* The file system of one sandbox: see mounts.h. */
#include "zygote/mounts.h"

#include "zygote/newmount.h"
#include "zygote/root.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

int mounts_disk(struct mounts *m)
{
        char size[32], inodes[16];
        snprintf(size, sizeof size, "%" PRId64, m->disk_bytes);
        snprintf(inodes, sizeof inodes, "%" PRIu32, m->inodes);
        struct fs_option options[] = { { "size", size }, { "nr_inodes", inodes }, { "mode", "755" } };

        m->disk = newmount_make("tmpfs", options, 3, MOUNT_ATTR_NOSUID);
        if (m->disk < 0)
                return m->disk;
        if (mkdirat(m->disk, "upper", 0755) < 0 || mkdirat(m->disk, "work", 0755) < 0 ||
            mkdirat(m->disk, "upper/home", 0755) < 0 || mkdirat(m->disk, MOUNTS_HOME, 0755) < 0 ||
            fchownat(m->disk, MOUNTS_HOME, m->host_uid, m->host_gid, 0) < 0)
                return -errno;
        return 0;
}

int mounts_overlay(struct mounts *m)
{
        /* Before Linux 6.15 an overlay takes its upper layer only from a mount that is attached in the caller's own
         * mount namespace. The overlay itself then covers it, and the pivot detaches it with all that is old. The
         * layers are named relative to the tmpfs. The lower one is the zygote's root, /usr and /proc left out, since an
         * overlay does not cross mounts. */
        struct fs_option options[] = {
                { "lowerdir", "/" },
                { "upperdir", "upper" },
                { "workdir", "work" },
                { "xino", "on" },
                { "source", "hatchery" },
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
        int usr = newmount_clone(AT_FDCWD, "/usr");
        if (usr < 0)
                return usr;
        int r = newmount_attach(usr, m->overlay, "usr");
        close(usr);
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
