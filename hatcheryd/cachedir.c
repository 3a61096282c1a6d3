/* The compile cache's directory: see cachedir.h. */
#include "hatcheryd/cachedir.h"

#include "proto/base/own.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Makes the directory and missing ones above it. *made: the number of directories that this call has made, the lowest
 * ones of the path. */
static int make_way(const char *path, unsigned *made, struct err *e)
{
        char part[PATH_MAX];

        *made = 0;
        if ((size_t)snprintf(part, sizeof part, "%s", path) >= sizeof part)
                return err_set(e, ENAMETOOLONG, "mkdir %.100s...", path);
        for (char *slash = part; slash;) {
                slash = strchr(slash + 1, '/');
                if (slash)
                        *slash = '\0';
                if (mkdir(part, 0755) == 0)
                        ++*made;
                else if (errno != EEXIST)
                        return err_set(e, errno, "mkdir %s", part);
                if (slash)
                        *slash = '/';
        }
        return 0;
}

/* Removes the directories that make_way has made. If another process uses one of them by now, that directory stays. */
static void unmake_way(const char *path, unsigned made)
{
        char part[PATH_MAX];

        snprintf(part, sizeof part, "%s", path);
        for (size_t len = strlen(part); made > 0 && len > 0 && rmdir(part) == 0; made--) {
                while (len > 0 && part[len] != '/')
                        len--;
                part[len] = '\0';
        }
}

/* Refuses a directory to which another user may write, because its files could be forged. */
static int open_configured(const char *path, struct err *e)
{
        struct stat st;
        unsigned made;

        int r = make_way(path, &made, e);
        if (r < 0)
                return r;
        OWN_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return err_set(e, errno, "open %s", path);
        if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
                return err_say(e, EPERM, "%s must be root's, and nobody else may write to it", path);
        return own_steal_fd(&fd);
}

int cachedir_try(const char *path, bool leaves_nothing, struct err *e)
{
        unsigned made = 0;
        int r = make_way(path, &made, e);
        if (r == 0) {
                int fd = open_configured(path, e);
                r = fd < 0 ? fd : 0;
                own_close(&fd);
        }
        if (leaves_nothing)
                unmake_way(path, made);
        return r;
}

/* Gives the cached files to uid: after a change of uid_base, they belong to a user that no longer exists. Only plain
 * files with a single name get the new owner. */
static int give_files(int directory, uid_t uid, struct err *e)
{
        int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *names = copy < 0 ? NULL : fdopendir(copy);
        struct dirent *d;
        struct stat st;

        if (!names) {
                own_close(&copy);
                return err_set(e, errno, "reading the compile cache's directory");
        }
        while ((d = readdir(names)))
                if (fstatat(directory, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
                    st.st_nlink == 1 && st.st_uid != uid &&
                    fchownat(directory, d->d_name, uid, uid, AT_SYMLINK_NOFOLLOW) < 0)
                        unlinkat(directory, d->d_name, 0);
        closedir(names);
        return 0;
}

int cachedir_open(const char *path, const struct instance *instance, struct err *e)
{
        struct stat st;

        OWN_FD int parent = open_configured(path, e);
        if (parent < 0)
                return parent;
        if (mkdirat(parent, instance->name, 0700) < 0 && errno != EEXIST)
                return err_set(e, errno, "mkdir %s/%s", path, instance->name);
        OWN_FD int fd = openat(parent, instance->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return err_set(e, errno, "open %s/%s", path, instance->name);
        if (st.st_uid != instance->pool_uid) {
                int r = give_files(fd, instance->pool_uid, e);
                if (r < 0)
                        return r;
        }
        if (fchown(fd, instance->pool_uid, instance->pool_uid) < 0 || fchmod(fd, 0700) < 0)
                return err_set(e, errno, "chown %s/%s", path, instance->name);
        return own_steal_fd(&fd);
}
