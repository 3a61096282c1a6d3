/* Files below one directory: see outdir.h. Every step is an openat with O_NOFOLLOW from the directory before it. So a
 * link that an earlier run or an earlier file left behind is not followed. */
#include "client/outdir.h"

#include "proto/base/io.h"
#include "proto/base/own.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { DIRECTORY_FLAGS = O_RDONLY | O_DIRECTORY | O_CLOEXEC };

int outdir_open(const char *path, struct err *e)
{
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
                return err_set(e, errno, "make the directory %s", path);
        int fd = open(path, DIRECTORY_FLAGS);
        return fd < 0 ? err_set(e, errno, "open the directory %s", path) : fd;
}

/* Copies the file's real name as a C string. For a name that is not UTF-8, that is raw_name. */
static int copy_name(const struct file_span *f, char name[WIRE_MAX_NAME + 1], struct err *e)
{
        struct span s = f->raw_name.len > 0 ? f->raw_name : f->name;
        if (s.len == 0)
                return err_say(e, EINVAL, "a file without a name came back; it was not written");
        if (s.len > WIRE_MAX_NAME)
                return err_say(e, ENAMETOOLONG, "a file name of %zu bytes came back; it was not written", s.len);
        memcpy(name, s.data, s.len);
        name[s.len] = '\0';

        bool bad = memchr(s.data, '\0', s.len) != NULL || name[0] == '/';
        for (const char *part = name; !bad && part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL) {
                size_t len = strcspn(part, "/");
                bad = len == 0 || (len == 1 && part[0] == '.') || (len == 2 && part[0] == '.' && part[1] == '.');
        }
        if (bad)
                return err_say(e, EINVAL,
                               "the name '%s' may lead out of the output directory; the file was not written", name);
        return 0;
}

/* Opens the directory `name` below dir, and makes it if it is missing. Returns a descriptor that the caller owns, or
 * -errno. */
static int enter(int dir, const char *name)
{
        if (mkdirat(dir, name, 0777) < 0 && errno != EEXIST)
                return -errno;
        int fd = openat(dir, name, DIRECTORY_FLAGS | O_NOFOLLOW);
        return fd < 0 ? -errno : fd;
}

/* Replaces the file `name` in dir. The old file is unlinked first, since it may be a link or a device, or have other
 * names elsewhere. */
static int replace(int dir, const char *name, const struct file_span *f)
{
        if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
                return -errno;
        OWN_FD int fd =
                openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, f->mode & 0111 ? 0777 : 0666);
        if (fd < 0)
                return -errno;
        int r = io_write_all(fd, f->content.data, f->content.len);
        if (r == 0 && close(own_steal_fd(&fd)) < 0)
                r = -errno;
        return r;
}

int outdir_write(int dir, const struct file_span *f, struct err *e)
{
        char name[WIRE_MAX_NAME + 1];
        int r = copy_name(f, name, e);
        if (r < 0)
                return r;

        int at = dir;
        OWN_FD int held = -1;
        char *part = name;
        for (char *slash; (slash = strchr(part, '/')) != NULL; part = slash + 1) {
                *slash = '\0';
                r = enter(at, part);
                if (r >= 0) {
                        own_close(&held);
                        at = held = r;
                        r = 0;
                }
                if (r < 0)
                        return err_set(e, -r,
                                       r == -ELOOP || r == -ENOTDIR
                                               ? "enter the directory %s, which is a link or a file"
                                               : "enter the directory %s",
                                       name);
                *slash = '/';
        }
        r = replace(at, part, f);
        return r < 0 ? err_set(e, -r, "write the file %s", name) : 0;
}
