/* The file system of one sandbox: see mounts.h. */
#include "zygote/sandbox/mounts.h"

#include "zygote/base/newmount.h"
#include "zygote/base/root_places.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* The parts of the tmpfs, and their places. */
struct part_row {
        const char *name;
        mode_t mode;
        const char *at; /* relative to the root */
};

static const struct part_row parts[] = {
        { MOUNTS_HOME, 0755, "home/sandbox" },
        { "tmp", 01777, "tmp" },
        { "shm", 01777, "dev/shm" },
};

int mounts_disk(struct mounts *m)
{
        char size[32], inodes[16];
        snprintf(size, sizeof size, "%" PRId64, m->disk_bytes);
        snprintf(inodes, sizeof inodes, "%" PRIu32, m->inodes);
        struct fs_option options[] = { { "size", size }, { "nr_inodes", inodes }, { "mode", "755" } };

        m->disk = newmount_make("tmpfs", options, 3, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
        if (m->disk < 0)
                return m->disk;
        if (fchdir(m->disk) < 0)
                return -errno;
        umask(0); /* the modes below are exact */
        int r = 0;
        for (size_t i = 0; i < sizeof parts / sizeof parts[0] && r == 0; i++)
                r = mkdir(parts[i].name, parts[i].mode) < 0 ? -errno : 0;
        umask(022);
        if (r < 0)
                return r;
        return chown(MOUNTS_HOME, m->host_uid, m->host_gid) < 0 ? -errno : 0;
}

/* xino is set to off, since the kernel's default may be on, which writes a line to the kernel's log for each overlay.
 * Files have the inode numbers of their layer. A directory has the overlay's own number while the kernel keeps the
 * directory in memory, if its file system is not the first layer's; readdir shows the layer's number. */
static int overlay(const char *layers, unsigned attributes)
{
        const struct fs_option options[] = { { "lowerdir", layers }, { "xino", "off" }, { "source", "hatchery" } };
        return newmount_make("overlay", options, 3, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | attributes);
}

/* The kernel keeps locks and leases by inode. If /usr were the host's own, all sandboxes and the host would share them.
 * An overlay has inodes of its own, and reads through them. A read-only overlay must have two layers, so there is an
 * empty directory. It comes first, because statfs tells the sizes of the first layer's file system, which is then not
 * the host's disk. */
int mounts_usr(struct mounts *m)
{
        m->usr = overlay(ROOT_EMPTY ":/usr", MOUNT_ATTR_NODEV);
        return m->usr < 0 ? m->usr : 0;
}

/* Each path has an overlay of its own, since an overlay does not cross mounts. */
int mounts_paths(struct mounts *m)
{
        for (; m->n_more < m->paths->n; m->n_more++) {
                char layers[sizeof ROOT_EMPTY + PATH_MAX];
                snprintf(layers, sizeof layers, ROOT_EMPTY ":%s", m->paths->at[m->n_more].inside);
                int mount = overlay(layers, MOUNT_ATTR_NODEV);
                if (mount < 0)
                        return mount;
                m->more[m->n_more] = mount;
        }
        return 0;
}

/* The layer is the zygote's root without the mounts in it, since an overlay does not cross mounts. The program's user
 * can write to nothing there, so no upper layer is needed. With an upper layer the mount took 50 us more, because an
 * overlay first tries what that layer can do. */
int mounts_root(struct mounts *m)
{
        m->root = overlay(ROOT_BESIDE ":/", 0);
        return m->root < 0 ? m->root : 0;
}

int mounts_leave(struct mounts *m)
{
        if (m->usr < 0) /* a test has left out the overlay */
                m->usr = newmount_clone(AT_FDCWD, "/usr");
        return setns(m->empty_namespace, CLONE_NEWNS) < 0 ? -errno : 0;
}

int mounts_own_namespace(struct mounts *m)
{
        (void)m;
        return unshare(CLONE_NEWNS) < 0 ? -errno : 0;
}

/* A copy of the slot's /proc, with its files about the machine (facts.h). Before Linux 6.15 the kernel copies no mount
 * of a namespace that is not the caller's; then a new /proc is made, which takes 70 to 110 us. The caller is in the
 * slot's pid namespace. */
static int proc_of_slot(const struct mounts *m)
{
        int proc = newmount_clone_all(m->proc, "");
        return proc == -EINVAL ? newmount_proc() : proc;
}

/* Attaches the mount, and takes its descriptor over. */
static int attach(struct mounts *m, int mount, const char *at)
{
        if (mount < 0)
                return mount;
        int r = newmount_attach(mount, m->root, at);
        close(mount);
        return r;
}

int mounts_attach(struct mounts *m)
{
        /* Before Linux 6.15, parts of the tmpfs can be mounted only while it is attached itself. The root then covers
         * it. */
        int r = newmount_attach(m->disk, AT_FDCWD, ROOT_MOUNT_POINT);
        if (r == 0)
                r = newmount_attach(m->root, AT_FDCWD, ROOT_MOUNT_POINT);
        if (r == 0) {
                r = attach(m, m->usr, "usr");
                m->usr = -1;
        }
        for (size_t i = 0; i < m->n_more && r == 0; i++)
                r = attach(m, m->more[i], m->paths->at[i].inside + 1);
        if (r == 0)
                r = attach(m, proc_of_slot(m), "proc");
        for (size_t i = 0; i < sizeof parts / sizeof parts[0] && r == 0; i++)
                r = attach(m, newmount_clone(m->disk, parts[i].name), parts[i].at);
        if (r == 0 && m->devpts >= 0) {
                r = attach(m, m->devpts, "dev/pts");
                m->devpts = -1;
        }
        return r;
}

/* Outside of this root there is only the empty directory that the namespace began with. */
int mounts_enter(struct mounts *m)
{
        if (fchdir(m->root) < 0 || chroot(".") < 0)
                return -errno;
        close(m->root);
        m->root = -1;
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
