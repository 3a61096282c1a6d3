/* Directories of the host inside sandboxes: see paths.h. */
#include "zygote/base/paths.h"

#include "proto/base/own.h"
#include "zygote/base/newmount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* Places where a sandbox or the zygote's root has mounts of its own. */
static const char *const taken[] = { "/usr",     "/proc", "/dev",  "/tmp", "/home",  "/run",   "/mnt",
                                     "/var/tmp", "/bin",  "/sbin", "/lib", "/lib32", "/lib64", "/libx32" };

static bool is_at_or_below(const char *path, const char *directory)
{
        size_t len = strlen(directory);
        return strncmp(path, directory, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static bool has_dots(const char *path)
{
        for (const char *at = path; (at = strstr(at, "/..")); at += 3)
                if (at[3] == '\0' || at[3] == '/')
                        return true;
        return false;
}

static int check(const char *path, const char *whose, struct err *e)
{
        size_t len = strlen(path);
        if (path[0] != '/' || len < 2 || len >= PATH_MAX || has_dots(path))
                return err_say(e, EINVAL, "%s: %s is to be an absolute path, without \"..\"", path, whose);
        if (strpbrk(path, ",:\\"))
                return err_say(e, EINVAL, "%s: %s holds a comma, a colon or a backslash, which no overlay can show",
                               path, whose);
        return 0;
}

int paths_add(struct paths *p, const char *host, const char *inside, struct err *e)
{
        int r = check(host, "a directory of the host", e);
        if (r == 0)
                r = check(inside, "a directory of sandboxes", e);
        if (r < 0)
                return r;
        for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
                if (is_at_or_below(inside, taken[i]))
                        return err_say(e, EINVAL, "%s: sandboxes have their own %s, nothing else can be shown there",
                                       inside, taken[i]);
        for (size_t i = 0; i < p->n; i++)
                if (is_at_or_below(inside, p->at[i].inside) || is_at_or_below(p->at[i].inside, inside))
                        return err_say(e, EINVAL, "%s: %s is shown there already", inside, p->at[i].inside);
        if (p->n == PATHS_MAX)
                return err_say(e, EINVAL, "%s: %d directories are shown already, which is the most", inside, PATHS_MAX);
        p->at[p->n++] = (struct path){ host, inside };
        return 0;
}

bool paths_find_closed(const char *directory, char name[NAME_MAX + 1])
{
        DIR *dir = opendir(directory);
        bool found = false;
        for (struct dirent *d; !found && dir && (d = readdir(dir));) {
                struct stat st;
                if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 ||
                    fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                mode_t open = S_ISDIR(st.st_mode) ? S_IROTH | S_IXOTH : S_ISREG(st.st_mode) ? S_IROTH : 0;
                found = (st.st_mode & open) != open;
                if (found)
                        snprintf(name, NAME_MAX + 1, "%s", d->d_name);
        }
        if (dir)
                closedir(dir);
        return found;
}

/* Makes path and every directory on the way to it. */
static int make_directories(int root, const char *path)
{
        char name[PATH_MAX];
        snprintf(name, sizeof name, "%s", path + 1);
        for (char *slash = name; slash;) {
                slash = strchr(slash + 1, '/');
                if (slash)
                        *slash = '\0';
                if (mkdirat(root, name, 0755) < 0 && errno != EEXIST)
                        return -errno;
                if (slash)
                        *slash = '/';
        }
        return 0;
}

static int attach(int root, const struct path *path, struct err *e)
{
        struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
        struct stat st;
        if (stat(path->host, &st) < 0)
                return err_set(e, errno, "%s, which sandboxes are to see", path->host);
        if (!S_ISDIR(st.st_mode))
                return err_say(e, ENOTDIR, "%s, which sandboxes are to see, is no directory", path->host);
        OWN_FD int mount = newmount_clone(AT_FDCWD, path->host);
        if (mount < 0)
                return err_set(e, -mount, "clone %s", path->host);
        if (mount_setattr(mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
                return err_set(e, errno, "make %s read-only", path->host);
        int r = make_directories(root, path->inside);
        if (r == 0)
                r = newmount_attach(mount, root, path->inside + 1);
        return r < 0 ? err_set(e, -r, "attach %s", path->inside) : 0;
}

int paths_attach(const struct paths *p, int root, struct err *e)
{
        for (size_t i = 0; i < p->n; i++) {
                int r = attach(root, &p->at[i], e);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int make_link(const char *link, struct err *e)
{
        char name[PATH_MAX];
        const char *equals = strchr(link, '=');
        size_t len = equals ? (size_t)(equals - link) : 0;
        struct stat st;

        if (link[0] != '/' || len < 2 || len >= sizeof name || memchr(link + 1, '/', len - 1))
                return err_say(e, EINVAL, "%s: a link is to be /NAME=TARGET", link);
        memcpy(name, link, len);
        name[len] = '\0';
        if (stat(equals + 1, &st) < 0 || symlink(equals + 1, name) == 0)
                return 0;
        if (errno == EEXIST && lstat(name, &st) == 0 && S_ISLNK(st.st_mode))
                return 0; /* made for an earlier link */
        return err_set(e, EEXIST, "the link %s", name);
}

int paths_link(const char *const *links, struct err *e)
{
        int r = 0;
        for (; links && *links && r == 0; links++)
                r = make_link(*links, e);
        return r;
}
