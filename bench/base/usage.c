/* Walking the server's processes: see usage.h. */
#include "bench/base/usage.h"

#include "proto/base/own.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PROCESSES = 65536, TEXT_SIZE = 1024 };

/* A word of a process's command line. */
#define POOL    "--role=pool"
#define GATEWAY "--role=gateway"

struct process {
        pid_t pid;
        pid_t parent;
        bool counted;
        double own;    /* seconds */
        double reaped; /* of its reaped children */
};

/* The contents of the file; "" if the process is gone. */
static size_t read_proc(pid_t pid, const char *name, char text[TEXT_SIZE])
{
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
        OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, text, TEXT_SIZE - 1);
        text[n < 0 ? 0 : n] = '\0';
        return n < 0 ? 0 : (size_t)n;
}

/* stat counts in ticks of 10 ms, which is too coarse for a pool. schedstat, if the kernel has it, counts in
 * nanoseconds, but only for one thread. Each of a server's processes has only one. */
static bool look(struct process *p, pid_t pid)
{
        char text[TEXT_SIZE];
        unsigned long user, system;
        long reaped_user, reaped_system;
        int parent;
        uint64_t ns;

        if (read_proc(pid, "stat", text) == 0)
                return false;
        const char *at = strrchr(text, ')'); /* the name before it may hold anything */
        if (!at || sscanf(at, ") %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld", &parent, &user, &system,
                          &reaped_user, &reaped_system) != 5)
                return false;
        double tick = 1.0 / (double)sysconf(_SC_CLK_TCK);
        *p = (struct process){ .pid = pid, .parent = parent };
        p->own = (double)(user + system) * tick;
        p->reaped = (double)(reaped_user + reaped_system) * tick;
        if (read_proc(pid, "schedstat", text) > 0 && sscanf(text, "%" SCNu64, &ns) == 1)
                p->own = (double)ns / 1e9;
        return true;
}

static size_t look_at_all(struct process *list, struct err *e)
{
        size_t n = 0;
        DIR *dir = opendir("/proc");
        if (!dir) {
                err_set(e, errno, "open /proc");
                return 0;
        }
        for (struct dirent *d; n < MAX_PROCESSES && (d = readdir(dir));) {
                pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);
                n += pid > 0 && look(&list[n], pid);
        }
        closedir(dir);
        return n;
}

static bool has_role(pid_t pid, const char *role)
{
        char text[TEXT_SIZE];
        size_t len = read_proc(pid, "cmdline", text);
        for (size_t at = 0; at < len; at += strlen(text + at) + 1)
                if (strcmp(text + at, role) == 0)
                        return true;
        return false;
}

static void count(struct process *p, pid_t supervisor, struct sample_cpu *out)
{
        p->counted = true;
        out->seconds += p->own + p->reaped;
        if (p->pid == supervisor)
                out->supervisor_seconds = p->own;
        else if (p->parent == supervisor && has_role(p->pid, POOL))
                out->pool_seconds = p->own;
        else if (p->parent == supervisor && has_role(p->pid, GATEWAY))
                out->gateway_seconds += p->own;
}

static bool is_counted(const struct process *list, size_t n, pid_t pid)
{
        for (size_t i = 0; i < n; i++)
                if (list[i].pid == pid)
                        return list[i].counted;
        return false;
}

int usage_read(pid_t supervisor, struct sample_cpu *out, struct err *e)
{
        *out = (struct sample_cpu){ 0 };
        OWN_MEM struct process *list = calloc(MAX_PROCESSES, sizeof *list);
        if (!list)
                return err_set(e, ENOMEM, "list processes");
        size_t n = look_at_all(list, e);
        if (n == 0)
                return -EIO;
        /* Adds one generation of children after the other, until a generation has no process. */
        for (bool more = true; more;) {
                more = false;
                for (size_t i = 0; i < n; i++) {
                        struct process *p = &list[i];
                        if (p->counted || (p->pid != supervisor && !is_counted(list, n, p->parent)))
                                continue;
                        count(p, supervisor, out);
                        more = true;
                }
        }
        out->measured = out->supervisor_seconds > 0 && out->pool_seconds > 0;
        return out->measured ? 0 : err_say(e, ESRCH, "find the server's processes in /proc");
}

struct sample_cpu usage_between(const struct sample_cpu *before, const struct sample_cpu *after)
{
        return (struct sample_cpu){
                .measured = before->measured && after->measured,
                .pool_seconds = after->pool_seconds - before->pool_seconds,
                .supervisor_seconds = after->supervisor_seconds - before->supervisor_seconds,
                .gateway_seconds = after->gateway_seconds - before->gateway_seconds,
                .seconds = after->seconds - before->seconds,
        };
}

static uint64_t kib_after(const char *text, const char *name)
{
        const char *at = strstr(text, name);
        return at ? strtoull(at + strlen(name), NULL, 10) << 10 : 0;
}

bool usage_pool_memory(pid_t supervisor, uint64_t *now, uint64_t *most)
{
        struct err e = { 0 };
        char text[TEXT_SIZE];
        OWN_MEM struct process *list = calloc(MAX_PROCESSES, sizeof *list);
        size_t n = list ? look_at_all(list, &e) : 0;

        for (size_t i = 0; i < n; i++) {
                if (list[i].parent != supervisor || !has_role(list[i].pid, POOL))
                        continue;
                read_proc(list[i].pid, "status", text);
                *now = kib_after(text, "VmRSS:");
                *most = kib_after(text, "VmHWM:");
                return *now > 0 && *most > 0;
        }
        return false;
}

static unsigned count_descriptors(pid_t pid)
{
        char path[64];
        unsigned n = 0;
        snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
        DIR *dir = opendir(path);
        for (struct dirent *d; dir && (d = readdir(dir));)
                n += d->d_name[0] != '.';
        if (dir)
                closedir(dir);
        return n;
}

bool usage_gateway(pid_t supervisor, uint64_t *bytes, unsigned *descriptors)
{
        struct err e = { 0 };
        char text[TEXT_SIZE];
        OWN_MEM struct process *list = calloc(MAX_PROCESSES, sizeof *list);
        size_t n = list ? look_at_all(list, &e) : 0;

        *bytes = *descriptors = 0;
        for (size_t i = 0; i < n; i++) {
                if (list[i].parent != supervisor || !has_role(list[i].pid, GATEWAY))
                        continue;
                read_proc(list[i].pid, "status", text);
                *bytes += kib_after(text, "VmRSS:");
                *descriptors += count_descriptors(list[i].pid);
        }
        return *bytes > 0 && *descriptors > 0;
}
