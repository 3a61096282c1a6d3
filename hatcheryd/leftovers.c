/* Leftovers of killed servers: see leftovers.h. */
#include "hatcheryd/leftovers.h"

#include "proto/base/own.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 4 };

/* Removes what is below a directory of groups, from the leaves up. A group with a process in it can't be removed, and
 * neither can the groups above it. */
static void remove_below(int parent, const char *name, unsigned depth)
{
        int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir) {
                own_close(&fd);
                return;
        }
        for (struct dirent *d; depth < MAX_DEPTH && (d = readdir(dir));) {
                if (d->d_type != DT_DIR || d->d_name[0] == '.')
                        continue;
                remove_below(dirfd(dir), d->d_name, depth + 1);
                unlinkat(dirfd(dir), d->d_name, AT_REMOVEDIR);
        }
        closedir(dir);
}

/* Removes "hatchery-7" of a dead server, and "hatchery-7-main", into which that server may have moved itself. */
static void remove_dead(int parent, const char *name, unsigned number, const char *where, const struct log *log)
{
        OWN_FD int lock = instance_lock(number, NULL);
        if (lock < 0)
                return; /* the server of that number lives */
        remove_below(parent, name, 0);
        if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
                log_info(log, "removed %s/%s, which a killed server had left", where, name);
}

static bool is_instance(const char *name, unsigned *number)
{
        int end = 0;
        if (sscanf(name, "hatchery-%3u%n", number, &end) != 1 || *number >= INSTANCE_MAX)
                return false;
        return strcmp(name + end, "") == 0 || strcmp(name + end, "-main") == 0;
}

static void sweep(const struct cgroup_hierarchy *h, const struct instance *own, const struct log *log)
{
        char parent[2 * CGROUP_PATH_SIZE + 2];
        snprintf(parent, sizeof parent, "%s/%s", h->mount, h->group);
        *strrchr(parent, '/') = '\0';

        DIR *dir = opendir(parent);
        for (struct dirent *d; dir && (d = readdir(dir));) {
                unsigned number;
                if (d->d_type != DT_DIR || !is_instance(d->d_name, &number))
                        continue;
                if (number == own->number)
                        remove_below(dirfd(dir), d->d_name, 0); /* groups of a former server with this number */
                else
                        remove_dead(dirfd(dir), d->d_name, number, parent, log);
        }
        if (dir)
                closedir(dir);
}

void leftovers_remove(const struct cgroup_tree *tree, const struct instance *own, const struct log *log)
{
        for (size_t i = 0; i < tree->n; i++)
                if (tree->at[i].made)
                        sweep(&tree->at[i], own, log);
}
