/* The zygote's own root: see root.h. */
#include "zygote/root.h"
#include "zygote/base/root_places.h"

#include "proto/base/own.h"
#include "zygote/base/newmount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

/* The most bytes in one file of a copied directory, and in all of them: each zygote has a root, which must be small. */
enum { MOST_OF_A_FILE = 128 << 10, MOST_OF_ALL = 1 << 20 };

/* Relative paths below the new root. */
struct directory_row {
        const char *path;
        mode_t mode;
};

static const struct directory_row directories[] = {
        { "dev", 0755 },  { "dev/pts", 0755 },      { "dev/shm", 01777 }, { "etc", 0755 },  { "etc/fonts", 0755 },
        { "home", 0755 }, { "home/sandbox", 0755 }, { "mnt", 0755 },      { "proc", 0555 }, { "run", 0755 },
        { "tmp", 01777 }, { "usr", 0755 },          { "var", 0755 },
};

struct device_row {
        const char *path;
        unsigned major, minor;
};

/* Memory devices; and tty, which opens the caller's own terminal (ENXIO if the sandbox has no terminal). */
static const struct device_row devices[] = {
        { "dev/null", 1, 3 },   { "dev/zero", 1, 5 },    { "dev/full", 1, 7 },
        { "dev/random", 1, 8 }, { "dev/urandom", 1, 9 }, { "dev/tty", 5, 0 },
};

struct link_row {
        const char *path;
        const char *target;
};

static const struct link_row links[] = {
        { "dev/fd", "/proc/self/fd" },
        { "dev/stdin", "/proc/self/fd/0" },
        { "dev/stdout", "/proc/self/fd/1" },
        { "dev/stderr", "/proc/self/fd/2" },
        { "etc/mtab", "/proc/self/mounts" },
        { "var/tmp", "../tmp" },
        { "etc/os-release", "../usr/lib/os-release" },
};

struct text_row {
        const char *path;
        const char *text;
};

static const struct text_row texts[] = {
        { "etc/passwd", "root:x:0:0:root:/root:/usr/sbin/nologin\n"
                        "sandbox:x:1000:1000:sandbox:" ROOT_HOME ":/bin/sh\n"
                        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n" },
        { "etc/group", "root:x:0:\nsandbox:x:1000:\nnogroup:x:65534:\n" },
        { "etc/hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n" },
        { "etc/hostname", "sandbox\n" },
        /* fontconfig keeps its cache in /tmp, and not in the work directory, which belongs to the program. */
        { "etc/fonts/fonts.conf",
          "<?xml version=\"1.0\"?>\n<fontconfig>\n"
          "<dir>/usr/share/fonts</dir>\n<dir>/usr/local/share/fonts</dir>\n<dir>~/.fonts</dir>\n"
          "<cachedir>/etc/fonts/cache</cachedir>\n<cachedir>/tmp/.fontconfig</cachedir>\n"
          "<include ignore_missing=\"yes\">/etc/fonts/conf.d</include>\n</fontconfig>\n" },
        { "etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n" },
};

/* Top-level links of a merged-usr system, copied from the host. */
static const char *const usr_links[] = { "bin", "lib", "lib32", "lib64", "libx32", "sbin" };

/* Copied from the host: the linker's cache, MIME types and the like. */
static const char *const etc_files[] = { "ld.so.cache", "localtime", "mime.types", "protocols", "services" };

struct copied_directory {
        const char *from, *path;
        bool with_files; /* false: only links */
};

/* The links of the alternatives (awk, editor, ...); the list of fonts and the rules for choosing one, without which no
 * program can draw text. */
static const struct copied_directory copied[] = {
        { "/etc/alternatives", "etc/alternatives", false },
        { "/etc/fonts/conf.avail", "etc/fonts/conf.avail", true },
        { "/etc/fonts/conf.d", "etc/fonts/conf.d", true },
        { "/var/cache/fontconfig", "etc/fonts/cache", true },
};

static int copy_file(int to_dir, const char *to, int from_dir, const char *from)
{
        OWN_FD int in = openat(from_dir, from, O_RDONLY | O_CLOEXEC);
        if (in < 0)
                return errno == ENOENT ? 0 : -errno;
        OWN_FD int out = openat(to_dir, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (out < 0)
                return -errno;
        char buffer[16384];
        ssize_t n;
        while ((n = read(in, buffer, sizeof buffer)) > 0)
                if (write(out, buffer, (size_t)n) != n)
                        return -EIO;
        return n < 0 ? -errno : 0;
}

/* Copies one entry of a directory: a link, or a file if files are wanted, too. Anything else is left out. */
static int copy_entry(int to_dir, int from_dir, const char *name, bool with_files, off_t *left)
{
        char target[512];
        struct stat st;
        ssize_t n = readlinkat(from_dir, name, target, sizeof target - 1);

        if (n > 0) {
                target[n] = '\0';
                return symlinkat(target, to_dir, name) < 0 ? -errno : 0;
        }
        if (!with_files || fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
            !(st.st_mode & S_IROTH) || st.st_size > MOST_OF_A_FILE || st.st_size > *left)
                return 0;
        *left -= st.st_size;
        return copy_file(to_dir, name, from_dir, name);
}

static int copy_directory(int root, const struct copied_directory *which, off_t *left, struct err *e)
{
        DIR *dir = opendir(which->from);
        if (!dir)
                return errno == ENOENT ? 0 : err_set(e, errno, "open %s", which->from);
        int r = mkdirat(root, which->path, 0755) < 0 ? -errno : 0;
        OWN_FD int to = openat(root, which->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        for (struct dirent *d; r == 0 && (d = readdir(dir));)
                r = copy_entry(to, dirfd(dir), d->d_name, which->with_files, left);
        closedir(dir);
        return r < 0 ? err_set(e, -r, "copy %s", which->from) : 0;
}

static int make_nodes(int root, struct err *e)
{
        for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
                const struct directory_row *d = &directories[i];
                if (mkdirat(root, d->path, d->mode) < 0 || fchmodat(root, d->path, d->mode, 0) < 0)
                        return err_set(e, errno, "mkdir %s", d->path);
        }
        for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
                if (mknodat(root, devices[i].path, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)) < 0 ||
                    fchmodat(root, devices[i].path, 0666, 0) < 0)
                        return err_set(e, errno, "mknod %s", devices[i].path);
        }
        for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
                if (symlinkat(links[i].target, root, links[i].path) < 0)
                        return err_set(e, errno, "link %s", links[i].path);
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
                OWN_FD int fd = openat(root, texts[i].path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
                size_t len = strlen(texts[i].text);
                if (fd < 0 || write(fd, texts[i].text, len) != (ssize_t)len)
                        return err_set(e, errno, "write %s", texts[i].path);
        }
        return 0;
}

static int copy_from_host(int root, struct err *e)
{
        for (size_t i = 0; i < sizeof usr_links / sizeof usr_links[0]; i++) {
                char from[64], target[256];
                snprintf(from, sizeof from, "/%s", usr_links[i]);
                ssize_t n = readlink(from, target, sizeof target - 1);
                if (n < 0 && errno == ENOENT)
                        continue;
                if (n < 0)
                        return err_say(e, EINVAL, "%s is not a link into /usr: a merged-usr system is needed", from);
                target[n] = '\0';
                if (symlinkat(target, root, usr_links[i]) < 0)
                        return err_set(e, errno, "link %s", usr_links[i]);
        }

        OWN_FD int etc = openat(root, "etc", O_PATH | O_DIRECTORY | O_CLOEXEC);
        for (size_t i = 0; i < sizeof etc_files / sizeof etc_files[0]; i++) {
                char from[64];
                snprintf(from, sizeof from, "/etc/%s", etc_files[i]);
                int r = copy_file(etc, etc_files[i], AT_FDCWD, from);
                if (r < 0)
                        return err_set(e, -r, "copy %s", from);
        }
        off_t left = MOST_OF_ALL;
        for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++) {
                int r = copy_directory(root, &copied[i], &left, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Binds the host's /usr, read-only, without the mounts below it. */
static int bind_usr(int root, struct err *e)
{
        OWN_FD int usr = newmount_clone(AT_FDCWD, "/usr");
        if (usr < 0)
                return err_set(e, -usr, "clone /usr");
        struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
        if (mount_setattr(usr, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
                return err_set(e, errno, "make /usr read-only");
        int r = newmount_attach(usr, root, "usr");
        return r < 0 ? err_set(e, -r, "attach /usr") : 0;
}

static int attach_proc(int root, struct err *e)
{
        OWN_FD int proc = newmount_make("proc", NULL, 0, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        if (proc < 0)
                return err_set(e, -proc, "mount proc");
        int r = newmount_attach(proc, root, "proc");
        return r < 0 ? err_set(e, -r, "attach /proc") : 0;
}

/* The first layer of the overlays that show /usr and the like. It is on a file system of its own, since no layer may
 * lie in another. statfs of /usr shows the sizes of this file system. A file makes its used size more than 0, because
 * programs may rely on that. */
static int attach_empty(int root, struct err *e)
{
        static const struct fs_option options[] = { { "mode", "755" }, { "size", "8k" }, { "nr_inodes", "5" } };
        struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };
        OWN_FD int fs = newmount_make("tmpfs", options, 3, MOUNT_ATTR_NOSUID);
        if (fs < 0)
                return err_set(e, -fs, "make a tmpfs for an empty directory");
        int used = openat(fs, "used", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        bool wrote = used >= 0 && write(used, "", 1) == 1;
        own_close(&used); /* a mount with a file that is open for writing can't be made read-only */
        if (!wrote || mkdirat(fs, "empty", 0755) < 0 || mkdirat(fs, "beside", 0755) < 0 ||
            mount_setattr(fs, "", AT_EMPTY_PATH, &read_only, sizeof read_only) < 0)
                return err_set(e, errno, "make an empty directory");
        int r = newmount_attach(fs, root, "run");
        return r < 0 ? err_set(e, -r, "attach an empty directory") : 0;
}

/* The first layer of the overlay that shows the root. Both layers are of one file system. So the overlay shows that
 * file system's inode numbers, which are always the same for a file, and writes no line about them to the kernel's
 * log. */
static int attach_beside(int disk, struct err *e)
{
        struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };
        OWN_FD int beside = newmount_clone(disk, "beside");
        if (beside < 0)
                return err_set(e, -beside, "clone an empty directory");
        if (mount_setattr(beside, "", AT_EMPTY_PATH, &read_only, sizeof read_only) < 0)
                return err_set(e, errno, "make an empty directory read-only");
        int r = newmount_attach(beside, AT_FDCWD, "/mnt" ROOT_BESIDE);
        return r < 0 ? err_set(e, -r, "attach an empty directory") : 0;
}

/* The root is a directory of a new tmpfs. It is attached over /mnt, which every Debian has; only this process sees
 * that. The tmpfs itself is attached there before, since before Linux 6.15 an unattached mount can't be copied. The
 * root then covers the tmpfs. */
static int make_root(int *disk, int *root, struct err *e)
{
        static const struct fs_option options[] = { { "mode", "755" }, { "size", "4m" } };

        OWN_FD int fs = newmount_make("tmpfs", options, 2, MOUNT_ATTR_NOSUID);
        if (fs < 0)
                return err_set(e, -fs, "make a tmpfs for the zygote's root");
        if (mkdirat(fs, "root", 0755) < 0 || mkdirat(fs, "beside", 0755) < 0)
                return err_set(e, errno, "mkdir in the tmpfs for the zygote's root");
        int r = newmount_attach(fs, AT_FDCWD, "/mnt");
        if (r < 0)
                return err_set(e, -r, "attach the tmpfs for the zygote's root");
        *root = newmount_clone(fs, "root");
        if (*root < 0)
                return err_set(e, -*root, "clone the zygote's root");
        r = newmount_attach(*root, AT_FDCWD, "/mnt");
        if (r < 0)
                return err_set(e, -r, "attach the zygote's root");
        *disk = own_steal_fd(&fs);
        return 0;
}

int root_enter(const struct paths *paths, struct err *e)
{
        OWN_FD int disk = -1, root = -1;

        if (unshare(CLONE_NEWNS) < 0)
                return err_set(e, errno, "make a mount namespace");
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return err_set(e, errno, "make the mounts private");

        umask(022);
        int r = make_root(&disk, &root, e);
        if (r == 0)
                r = make_nodes(root, e);
        if (r == 0)
                r = copy_from_host(root, e);
        if (r == 0)
                r = bind_usr(root, e);
        if (r == 0)
                r = attach_proc(root, e);
        if (r == 0)
                r = attach_empty(root, e);
        if (r == 0)
                r = attach_beside(disk, e);
        if (r == 0 && paths)
                r = paths_attach(paths, root, e);
        if (r < 0)
                return r;
        if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
                return err_set(e, errno, "pivot_root into the zygote's root");
        if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
                return err_set(e, errno, "detach the host's root");
        return 0;
}

/* Leaves the caller in a namespace with an empty root. */
static int move_to_emptiness(struct err *e)
{
        static const struct fs_option options[] = { { "mode", "755" }, { "size", "4k" }, { "nr_inodes", "3" } };
        struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };
        OWN_FD int root = newmount_make("tmpfs", options, 3, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        if (root < 0)
                return err_set(e, -root, "make an empty root");
        if (mkdirat(root, &ROOT_MOUNT_POINT[1], 0755) < 0 ||
            mount_setattr(root, "", AT_EMPTY_PATH, &read_only, sizeof read_only) < 0)
                return err_set(e, errno, "make an empty root");
        if (unshare(CLONE_NEWNS) < 0)
                return err_set(e, errno, "make a mount namespace");
        int r = newmount_attach(root, AT_FDCWD, ROOT_MOUNT_POINT);
        if (r < 0)
                return err_set(e, -r, "attach an empty root");
        if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
                return err_set(e, errno, "enter an empty root");
        return 0;
}

int root_empty_namespace(struct err *e)
{
        OWN_FD int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
        OWN_FD int own = openat(proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
        if (own < 0)
                return err_set(e, errno, "open the mount namespace");
        int r = move_to_emptiness(e);
        if (r < 0)
                return r;
        OWN_FD int empty = openat(proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
        if (empty < 0)
                return err_set(e, errno, "open the empty mount namespace");
        if (setns(own, CLONE_NEWNS) < 0)
                return err_set(e, errno, "return to the mount namespace");
        return own_steal_fd(&empty);
}
