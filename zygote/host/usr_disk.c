/* The disk of /usr: see usr_disk.h. */
#include "zygote/host/usr_disk.h"

#include "proto/base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Limits apply to a whole disk: if the device is a partition, the disk is the directory above it in sysfs. */
static int whole_disk(unsigned major, unsigned minor, char disk[USR_DISK_SIZE])
{
        char path[96];
        snprintf(path, sizeof path, "/sys/dev/block/%u:%u/partition", major, minor);
        if (access(path, F_OK) != 0) {
                snprintf(disk, USR_DISK_SIZE, "%u:%u", major, minor);
                return 0;
        }
        snprintf(path, sizeof path, "/sys/dev/block/%u:%u/../dev", major, minor);
        OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, disk, USR_DISK_SIZE - 1);
        if (n < 0)
                return -errno;
        disk[n] = '\0';
        disk[strcspn(disk, "\n")] = '\0';
        return 0;
}

/* Writes "no limit": that changes nothing, and shows whether the kernel accepts limits. */
static int try_limit(const struct cgroup_hierarchy *h, const char *disk, struct err *e)
{
        char path[2 * CGROUP_PATH_SIZE + 64], limit[USR_DISK_LIMIT_SIZE];
        snprintf(path, sizeof path, "%s/%s/%s", h->mount, h->group, hierarchy_disk_file(h->v2));
        OWN_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return err_set(e, errno, "the kernel needs CONFIG_BLK_DEV_THROTTLING; open %s", path);
        usr_disk_limit(disk, 0, h->v2, limit);
        return write(fd, limit, strlen(limit)) < 0 ? err_set(e, errno, "%s to %s", limit, path) : 0;
}

int usr_disk_find(const struct cgroup_tree *tree, char disk[USR_DISK_SIZE], struct err *e)
{
        struct stat st;
        size_t i = 0;

        disk[0] = '\0';
        while (i < tree->n && !(tree->at[i].controllers & CGROUP_BLKIO))
                i++;
        if (i == tree->n)
                return err_say(e, ENOENT, "no group with the cgroup controller blkio (io on cgroup v2) can be made");
        if (stat("/usr", &st) < 0)
                return err_set(e, errno, "stat /usr");
        if (major(st.st_dev) == 0)
                return err_say(e, ENODEV, "the file system of /usr (overlay, btrfs, tmpfs...) names no disk");
        int r = whole_disk(major(st.st_dev), minor(st.st_dev), disk);
        if (r < 0)
                err_set(e, -r, "the disk of the partition that /usr lies on");
        if (r == 0)
                r = try_limit(&tree->at[i], disk, e);
        if (r < 0)
                disk[0] = '\0';
        return r;
}

void usr_disk_limit(const char *disk, uint64_t bytes_per_second, bool v2, char limit[USR_DISK_LIMIT_SIZE])
{
        if (v2 && bytes_per_second == 0)
                snprintf(limit, USR_DISK_LIMIT_SIZE, "%s rbps=max", disk);
        else
                snprintf(limit, USR_DISK_LIMIT_SIZE, "%s %s%" PRIu64, disk, v2 ? "rbps=" : "", bytes_per_second);
}
