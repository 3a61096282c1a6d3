/* The mount API by descriptor: see newmount.h. */
#include "zygote/base/newmount.h"

#include "proto/base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>

static int configure(int fs, const struct fs_option *options, size_t n, unsigned command)
{
        for (size_t i = 0; i < n; i++) {
                unsigned kind = options[i].value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
                if (fsconfig(fs, kind, options[i].key, options[i].value, 0) < 0)
                        return -errno;
        }
        return fsconfig(fs, command, NULL, NULL, 0) < 0 ? -errno : 0;
}

int newmount_make(const char *type, const struct fs_option *options, size_t n, unsigned attributes)
{
        OWN_FD int fs = fsopen(type, FSOPEN_CLOEXEC);
        if (fs < 0)
                return -errno;
        int r = configure(fs, options, n, FSCONFIG_CMD_CREATE);
        if (r < 0)
                return r;
        int mount = fsmount(fs, FSMOUNT_CLOEXEC, attributes);
        return mount < 0 ? -errno : mount;
}

static int clone_tree(int dir, const char *path, unsigned more)
{
        unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (*path ? 0u : AT_EMPTY_PATH);
        int mount = open_tree(dir, path, flags | more);
        return mount < 0 ? -errno : mount;
}

int newmount_clone(int dir, const char *path)
{
        return clone_tree(dir, path, 0);
}

int newmount_clone_all(int dir, const char *path)
{
        return clone_tree(dir, path, AT_RECURSIVE);
}

/* A mount uses the first n of these options. */
static const struct fs_option proc_options[] = { { "hidepid", "ptraceable" }, { "subset", "pid" } };
enum { PROC_WHOLE = 1, PROC_PROCESSES = 2 };

static int make_proc(size_t n)
{
        return newmount_make("proc", proc_options, n,
                             MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

int newmount_proc(void)
{
        return make_proc(PROC_PROCESSES);
}

int newmount_whole_proc(void)
{
        return make_proc(PROC_WHOLE);
}

int newmount_attach(int mount, int dir, const char *path)
{
        return move_mount(mount, "", dir, path, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

int newmount_reconfigure(int mount, const struct fs_option *options, size_t n)
{
        OWN_FD int fs = fspick(mount, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
        if (fs < 0)
                return -errno;
        return configure(fs, options, n, FSCONFIG_CMD_RECONFIGURE);
}
