/* Finding, making and reading the group: see group.h. */
#include "bench/base/group.h"

#include "bench/base/clock.h"
#include "proto/base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OWN_SIZE = 512, MOUNT_SIZE = 256, FILE_SIZE = GROUP_PATH_SIZE + 64, TRIES = 200 };

static bool has_word(const char *list, const char *word)
{
        size_t len = strlen(word);
        for (const char *at = list; (at = strstr(at, word)); at += len)
                if ((at == list || at[-1] == ',') && (at[len] == ',' || at[len] == '\0'))
                        return true;
        return false;
}

/* Finds the caller's own group in the hierarchy that counts memory: v1's if memory has one, else v2's. */
static bool find_own(bool *v2, char own[OWN_SIZE])
{
        char line[OWN_SIZE + 128];
        bool found = false;
        FILE *f = fopen("/proc/self/cgroup", "re");
        *v2 = true;
        while (f && *v2 && fgets(line, sizeof line, f)) {
                line[strcspn(line, "\n")] = '\0';
                char *list = strchr(line, ':');
                char *path = list ? strchr(list + 1, ':') : NULL;
                if (!path)
                        continue;
                *path++ = '\0';
                bool is_memory = has_word(list + 1, "memory");
                if (!is_memory && list[1] != '\0')
                        continue;
                *v2 = !is_memory;
                found = true;
                snprintf(own, OWN_SIZE, "%s", strcmp(path, "/") == 0 ? "" : path);
        }
        if (f)
                fclose(f);
        return found;
}

static bool find_mount(bool v2, char mount[MOUNT_SIZE])
{
        struct mntent *m;
        bool found = false;
        FILE *f = setmntent("/proc/self/mounts", "re");
        while (f && !found && (m = getmntent(f))) {
                found = v2 ? strcmp(m->mnt_type, "cgroup2") == 0
                           : strcmp(m->mnt_type, "cgroup") == 0 && hasmntopt(m, "memory");
                if (found)
                        snprintf(mount, MOUNT_SIZE, "%s", m->mnt_dir);
        }
        if (f)
                endmntent(f);
        return found;
}

static int write_file(const char *folder, const char *name, const char *text)
{
        char path[FILE_SIZE];
        snprintf(path, sizeof path, "%s/%s", folder, name);
        OWN_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int group_make(struct group *g, struct err *e)
{
        char own[OWN_SIZE], mount[MOUNT_SIZE], parent[OWN_SIZE + MOUNT_SIZE];
        *g = (struct group){ 0 };
        if (!find_own(&g->v2, own) || !find_mount(g->v2, mount))
                return err_say(e, ENOENT, "no control group counts memory here");
        snprintf(parent, sizeof parent, "%s%s", mount, own);
        if (g->v2) {
                int r = write_file(parent, "cgroup.subtree_control", "+memory");
                if (r == 0)
                        r = write_file(parent, "cgroup.subtree_control", "+pids");
                if (r < 0)
                        return err_set(
                                e, -r,
                                "the benchmark's control group can't have one below it (run it in the root group)");
                /* Useful for a server, but not required. */
                write_file(parent, "cgroup.subtree_control", "+cpu");
        }
        snprintf(g->path, sizeof g->path, "%s/hatchery-bench-%d", parent, (int)getpid());
        if (mkdir(g->path, 0755) < 0) {
                int error = errno;
                g->path[0] = '\0';
                return err_set(e, error, "make a control group");
        }
        return 0;
}

int group_join(const struct group *g)
{
        return write_file(g->path, g->v2 ? "cgroup.procs" : "tasks", "0");
}

/* The number after a key at the start of a line; the first number for no key. */
static int read_number(const struct group *g, const char *name, const char *key, uint64_t *out)
{
        char path[FILE_SIZE], line[256];
        int r = -ENODATA;
        snprintf(path, sizeof path, "%s/%s", g->path, name);
        FILE *f = fopen(path, "re");
        if (!f)
                return -errno;
        size_t len = key ? strlen(key) : 0;
        while (r < 0 && fgets(line, sizeof line, f)) {
                if (len > 0 && (strncmp(line, key, len) != 0 || line[len] != ' '))
                        continue;
                *out = strtoull(line + len, NULL, 10);
                r = 0;
        }
        fclose(f);
        return r;
}

/* v2 has the sum as "kernel" since Linux 5.18. */
static int read_kernel_v2(const struct group *g, uint64_t *out)
{
        static const char *const parts[] = { "kernel_stack", "pagetables", "percpu", "sock", "slab" };
        int r = read_number(g, "memory.stat", "kernel", out);
        if (r != -ENODATA)
                return r;
        *out = 0;
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
                uint64_t part = 0;
                r = read_number(g, "memory.stat", parts[i], &part);
                if (r < 0 && r != -ENODATA) /* older kernels lack some */
                        return r;
                *out += part;
        }
        return 0;
}

int group_read(const struct group *g, uint64_t *bytes, uint64_t *kernel_bytes, struct err *e)
{
        int r = read_number(g, g->v2 ? "memory.current" : "memory.usage_in_bytes", NULL, bytes);
        if (r == 0)
                r = g->v2 ? read_kernel_v2(g, kernel_bytes)
                          : read_number(g, "memory.kmem.usage_in_bytes", NULL, kernel_bytes);
        return r < 0 ? err_set(e, -r, "read the control group's memory") : 0;
}

int group_remove(struct group *g, struct err *e)
{
        if (g->path[0] == '\0')
                return 0;
        int r = -1;
        /* The kernel takes a while to remove processes that have been reaped. */
        for (unsigned i = 0; i < TRIES && (r = rmdir(g->path)) < 0 && errno == EBUSY; i++)
                clock_sleep(CLOCK_SECOND / 100);
        int error = errno;
        if (r == 0 || error == ENOENT) {
                g->path[0] = '\0';
                return 0;
        }
        return err_set(e, error, "remove the control group %s", g->path);
}
