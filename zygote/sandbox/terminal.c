/* The terminal of one sandbox: see terminal.h. */
#include "zygote/sandbox/terminal.h"

#include "proto/base/own.h"
#include "zygote/base/newmount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <termios.h>
#include <unistd.h>

/* The instance has no room for a second terminal (max), and only root may open ptmx, which makes terminals. The options
 * name no owner for terminals: the program could read the host's user id in /proc/mounts. */
static int make_devpts(const struct faults *faults)
{
        static const struct fs_option one[] = { { "mode", "600" }, { "ptmxmode", "600" }, { "max", "1" } };
        static const struct fs_option many[] = { { "mode", "600" }, { "ptmxmode", "666" } };
        int error;
        bool wall = faults_find(faults, "one terminal", &error) != FAULT_SKIP;
        return newmount_make("devpts", wall ? one : many, wall ? 3 : 2, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
}

/* Makes the erase key remove a whole UTF-8 character. Lines, echo and Ctrl-C keep the kernel's settings. */
static int settle(int slave, uint32_t host_uid, uint32_t host_gid)
{
        struct termios mode;

        if (fchown(slave, host_uid, host_gid) < 0 || tcgetattr(slave, &mode) < 0)
                return -errno;
        mode.c_iflag |= IUTF8;
        return tcsetattr(slave, TCSANOW, &mode) < 0 ? -errno : 0;
}

int terminal_make(struct terminal *t, uint32_t host_uid, uint32_t host_gid, const struct faults *faults)
{
        const int unlocked = 0;

        OWN_FD int devpts = make_devpts(faults);
        if (devpts < 0)
                return devpts;
        OWN_FD int master = openat(devpts, "ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) < 0)
                return -errno;
        /* Opened without O_NOCTTY, it becomes the controlling terminal. */
        OWN_FD int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_CLOEXEC);
        if (slave < 0)
                return -errno;
        int r = settle(slave, host_uid, host_gid);
        if (r < 0)
                return r;
        t->devpts = own_steal_fd(&devpts);
        t->master = own_steal_fd(&master);
        t->slave = own_steal_fd(&slave);
        return 0;
}
