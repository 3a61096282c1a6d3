/* The cgroup of one slot: see cgroup_slot.h. */
#include "zygote/cgroup_slot.h"

#include "proto/base/own.h"
#include "proto/ipc/cpu.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The memory that may stay charged to an empty group. A warm sandbox itself holds 1 to 2 MiB. */
enum { RESIDUE_MAX = 2 << 20 };

/* One of so many warm sandboxes is weighed, because sandboxes of a language differ little in their memory. */
enum { WEIGH_EACH = 8 };

/* One row per file: its controller, its name in both versions, and how it is opened. Optional files are absent on older
 * kernels or without swap accounting. */
struct file_row {
        unsigned controller;
        const char *v1;
        const char *v2;
        int flags;
        bool optional;
};

static const struct file_row files[CGROUP_FILE_COUNT] = {
        [CGROUP_FILE_MEMORY_LIMIT] = { CGROUP_MEMORY, "memory.limit_in_bytes", "memory.max", O_WRONLY, false },
        [CGROUP_FILE_SWAP_LIMIT] = { CGROUP_MEMORY, "memory.memsw.limit_in_bytes", "memory.swap.max", O_WRONLY, true },
        [CGROUP_FILE_MEMORY_PEAK] = { CGROUP_MEMORY, "memory.max_usage_in_bytes", "memory.peak", O_RDWR, true },
        [CGROUP_FILE_MEMORY_NOW] = { CGROUP_MEMORY, "memory.usage_in_bytes", "memory.current", O_RDONLY, false },
        [CGROUP_FILE_MEMORY_RECLAIM] = { CGROUP_MEMORY, "memory.force_empty", "memory.reclaim", O_WRONLY, true },
        [CGROUP_FILE_OOM] = { CGROUP_MEMORY, "memory.oom_control", "memory.events", O_RDONLY, false },
        [CGROUP_FILE_PIDS_LIMIT] = { CGROUP_PIDS, "pids.max", "pids.max", O_WRONLY, false },
        [CGROUP_FILE_PIDS_NOW] = { CGROUP_PIDS, "pids.current", "pids.current", O_RDONLY, false },
        [CGROUP_FILE_PIDS_PEAK] = { CGROUP_PIDS, "pids.peak", "pids.peak", O_RDWR, true },
        [CGROUP_FILE_PIDS_EVENTS] = { CGROUP_PIDS, "pids.events", "pids.events", O_RDONLY, true },
        [CGROUP_FILE_CPU] = { CGROUP_CPUACCT, "cpuacct.usage", "cpu.stat", O_RDONLY, false },
        [CGROUP_FILE_CPU_USER] = { CGROUP_CPUACCT, "cpuacct.usage_user", "cpu.stat", O_RDONLY, false },
        [CGROUP_FILE_CPU_SYSTEM] = { CGROUP_CPUACCT, "cpuacct.usage_sys", "cpu.stat", O_RDONLY, false },
};

int cgroup_base_init(struct cgroup_base *b, const struct cgroup_hierarchy *h, size_t n, const char *name, struct err *e)
{
        memset(b, 0, sizeof *b);
        snprintf(b->name, sizeof b->name, "%s", name);
        for (size_t i = 0; i < n; i++) {
                b->at[i].v2 = h[i].v2;
                b->at[i].controllers = h[i].controllers;
                b->at[i].dir = open(h[i].mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (b->at[i].dir < 0) {
                        int r = err_set(e, errno, "open the cgroup %s", h[i].mount);
                        cgroup_base_fini(b);
                        return r;
                }
                b->n++;
        }
        return 0;
}

void cgroup_base_fini(struct cgroup_base *b)
{
        for (size_t i = 0; i < b->n; i++)
                close(b->at[i].dir);
        b->n = 0;
}

static void slot_name(const struct cgroup_slot *c, char name[64])
{
        if (c->number == CGROUP_SLOT_INITS)
                snprintf(name, 64, "%s-init", c->base->name);
        else
                snprintf(name, 64, "%s-%" PRIu32, c->base->name, c->number);
}

static int write_number(int fd, int64_t value)
{
        char text[32];
        int n = snprintf(text, sizeof text, "%" PRId64, value);
        return pwrite(fd, text, (size_t)n, 0) < 0 ? -errno : 0;
}

static int64_t read_number(int fd)
{
        char text[64];
        ssize_t n = pread(fd, text, sizeof text - 1, 0);
        if (n < 0)
                return -errno;
        text[n] = '\0';
        return strtoll(text, NULL, 10);
}

/* The number behind a key at the start of a line; in a file that holds only a number, that number. */
static int64_t read_keyed(int fd, const char *key)
{
        char text[512];
        ssize_t n = pread(fd, text, sizeof text - 1, 0);
        if (n < 0)
                return -errno;
        text[n] = '\0';
        if (isdigit((unsigned char)text[0]))
                return strtoll(text, NULL, 10);

        size_t len = strlen(key);
        for (const char *line = text; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, key, len) == 0 && line[len] == ' ')
                        return strtoll(line + len, NULL, 10);
        }
        return -ENOENT;
}

static void close_all(struct cgroup_slot *c)
{
        for (size_t i = 0; i < CGROUP_MAX_HIERARCHIES; i++) {
                if (c->dir[i] >= 0)
                        close(c->dir[i]);
                if (c->join[i] >= 0)
                        close(c->join[i]);
                c->dir[i] = c->join[i] = -1;
        }
        for (size_t i = 0; i < CGROUP_FILE_COUNT; i++) {
                if (c->file[i] >= 0)
                        close(c->file[i]);
                c->file[i] = -1;
        }
        c->into = -1;
}

static int open_files(struct cgroup_slot *c, struct err *e)
{
        for (size_t k = 0; k < CGROUP_FILE_COUNT; k++) {
                const struct file_row *row = &files[k];
                for (size_t i = 0; i < c->base->n && c->file[k] < 0; i++) {
                        if (!(c->base->at[i].controllers & row->controller))
                                continue;
                        const char *name = c->base->at[i].v2 ? row->v2 : row->v1;
                        c->file[k] = openat(c->dir[i], name, row->flags | O_CLOEXEC);
                        if (c->file[k] < 0 && row->flags == O_RDWR && (errno == EACCES || errno == EINVAL))
                                c->file[k] = openat(c->dir[i], name, O_RDONLY | O_CLOEXEC);
                        if (c->file[k] < 0 && !row->optional)
                                return err_set(e, errno, "open %s", name);
                }
                if (c->file[k] < 0 && !row->optional)
                        return err_say(e, ENOENT, "no hierarchy with %s", row->v1);
        }
        return 0;
}

/* Each slot has a limit of its own. The group of the inits reads nothing and gets no limit. */
static int limit_disk_reads(const struct cgroup_slot *c, size_t hierarchy, struct err *e)
{
        const char *limit = c->base->disk_read;
        if (!(c->base->at[hierarchy].controllers & CGROUP_BLKIO) || limit[0] == '\0' || c->number == CGROUP_SLOT_INITS)
                return 0;
        const char *file = hierarchy_disk_file(c->base->at[hierarchy].v2);
        OWN_FD int fd = openat(c->dir[hierarchy], file, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, limit, strlen(limit)) < 0)
                return err_set(e, errno, "%s = %s", file, limit);
        return 0;
}

static int make_groups(struct cgroup_slot *c, struct err *e)
{
        char name[64];
        slot_name(c, name);
        for (size_t i = 0; i < c->base->n; i++) {
                if (mkdirat(c->base->at[i].dir, name, 0755) < 0 && errno != EEXIST)
                        return err_set(e, errno, "mkdir the cgroup %s", name);
                c->dir[i] = openat(c->base->at[i].dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (c->dir[i] < 0)
                        return err_set(e, errno, "open the cgroup %s", name);
                int r = limit_disk_reads(c, i, e);
                if (r < 0)
                        return r;
                if (c->base->at[i].v2) {
                        c->into = c->dir[i];
                        continue;
                }
                c->join[i] = openat(c->dir[i], "tasks", O_WRONLY | O_CLOEXEC);
                if (c->join[i] < 0)
                        return err_set(e, errno, "open tasks of the cgroup %s", name);
        }
        int r = open_files(c, e);
        /* Every fork copies and closes all descriptors that are open here, so only v2's directory stays open. */
        for (size_t i = 0; i < c->base->n; i++) {
                if (c->base->at[i].v2)
                        continue;
                close(c->dir[i]);
                c->dir[i] = -1;
        }
        return r;
}

int cgroup_slot_init(struct cgroup_slot *c, const struct cgroup_base *base, uint32_t number, struct err *e)
{
        *c = (struct cgroup_slot){ .base = base, .number = number, .into = -1 };
        memset(c->dir, -1, sizeof c->dir);
        memset(c->join, -1, sizeof c->join);
        memset(c->file, -1, sizeof c->file);

        int r = make_groups(c, e);
        if (r < 0) {
                cgroup_slot_fini(c, NULL);
                return r;
        }
        int peak = c->file[CGROUP_FILE_MEMORY_PEAK];
        c->peak_resets = peak >= 0 && write_number(peak, 0) == 0;
        return 0;
}

int cgroup_slot_fini(struct cgroup_slot *c, struct err *e)
{
        char name[64];
        int r = 0;

        if (!c->base)
                return 0;
        close_all(c);
        slot_name(c, name);
        for (size_t i = 0; i < c->base->n; i++)
                if (unlinkat(c->base->at[i].dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
                        r = err_set(e, errno, "rmdir the cgroup %s", name);
        if (r == 0)
                c->base = NULL;
        return r;
}

int cgroup_slot_residue(const struct cgroup_slot *c)
{
        int64_t left = read_number(c->file[CGROUP_FILE_MEMORY_NOW]);
        return left <= RESIDUE_MAX ? -1 : c->file[CGROUP_FILE_MEMORY_RECLAIM];
}

int cgroup_slot_renew(struct cgroup_slot *c, struct err *e)
{
        bool memory_tells = c->peak_resets || c->file[CGROUP_FILE_MEMORY_PEAK] < 0;
        bool pids_tells = c->file[CGROUP_FILE_PIDS_PEAK] < 0 || read_number(c->file[CGROUP_FILE_PIDS_PEAK]) <= 1;
        int64_t left = read_number(c->file[CGROUP_FILE_MEMORY_NOW]);
        if (memory_tells && pids_tells && left <= RESIDUE_MAX) {
                c->residue = left > 0 ? left : 0;
                return 0;
        }

        const struct cgroup_base *base = c->base;
        uint32_t number = c->number;
        int r = cgroup_slot_fini(c, e);
        return r < 0 ? r : cgroup_slot_init(c, base, number, e);
}

/* v1 demands limit <= memory+swap limit at every moment: raise the outer limit first, lower the inner limit first. */
static int set_memory(struct cgroup_slot *c, int64_t bytes)
{
        int limit = c->file[CGROUP_FILE_MEMORY_LIMIT], swap = c->file[CGROUP_FILE_SWAP_LIMIT];
        bool v2 = c->into >= 0;
        int64_t swap_value = v2 ? 0 : bytes;
        int first = limit, second = swap;
        int64_t first_value = bytes, second_value = swap_value;

        if (!v2 && bytes > c->memory_limit && c->memory_limit > 0) {
                first = swap;
                second = limit;
        }
        int r = first >= 0 ? write_number(first, first_value) : 0;
        if (r == 0 && second >= 0)
                r = write_number(second, second_value);
        return r;
}

int cgroup_slot_limit(struct cgroup_slot *c, int64_t memory_bytes, int64_t pids, struct err *e)
{
        if (memory_bytes != c->memory_limit) {
                int r = set_memory(c, memory_bytes);
                if (r < 0)
                        return err_set(e, -r, "a memory limit of %" PRId64 " bytes", memory_bytes);
                c->memory_limit = memory_bytes;
        }
        if (pids != c->pids_limit) {
                int r = write_number(c->file[CGROUP_FILE_PIDS_LIMIT], pids);
                if (r < 0)
                        return err_set(e, -r, "a limit of %" PRId64 " processes", pids);
                c->pids_limit = pids;
        }
        return 0;
}

static int64_t oom_kills(const struct cgroup_slot *c)
{
        int64_t n = read_keyed(c->file[CGROUP_FILE_OOM], "oom_kill");
        return n < 0 ? 0 : n;
}

static int64_t pids_denied(const struct cgroup_slot *c)
{
        int fd = c->file[CGROUP_FILE_PIDS_EVENTS];
        int64_t n = fd < 0 ? 0 : read_keyed(fd, "max");
        return n < 0 ? 0 : n;
}

/* CPU time in the file's own unit: only the ratio of user to system time is used. */
static int64_t cpu_user(const struct cgroup_slot *c)
{
        int64_t part = read_keyed(c->file[CGROUP_FILE_CPU_USER], "user_usec");
        return part < 0 ? 0 : part;
}

static int64_t cpu_system(const struct cgroup_slot *c)
{
        int64_t part = read_keyed(c->file[CGROUP_FILE_CPU_SYSTEM], "system_usec");
        return part < 0 ? 0 : part;
}

/* The kernel counts the sum exactly, and the parts by timer ticks. So the sum is split in the ratio of the parts. A
 * run without a tick counts as user time, as in the kernel's own getrusage. */
static int64_t user_share(const struct cgroup_slot *c, int64_t cpu_us)
{
        int64_t user = cpu_user(c) - c->user_base, system = cpu_system(c) - c->system_base;
        if (user <= 0 && system <= 0)
                return cpu_us;
        if (user <= 0)
                return 0;
        return system <= 0 ? cpu_us : (int64_t)((double)cpu_us * (double)user / (double)(user + system));
}

void cgroup_slot_start(struct cgroup_slot *c)
{
        if (c->peak_resets)
                write_number(c->file[CGROUP_FILE_MEMORY_PEAK], 0);
        c->oom_base = oom_kills(c);
        c->denied_base = pids_denied(c);
        int64_t cpu = cpu_time_read(c->file[CGROUP_FILE_CPU]);
        c->cpu_base_us = cpu < 0 ? 0 : cpu;
        c->user_base = cpu_user(c);
        c->system_base = cpu_system(c);
}

void cgroup_slot_usage(const struct cgroup_slot *c, struct cgroup_usage *u)
{
        int64_t ooms = oom_kills(c) - c->oom_base;
        int64_t denied = pids_denied(c) - c->denied_base;
        int64_t cpu = cpu_time_read(c->file[CGROUP_FILE_CPU]) - c->cpu_base_us;
        int64_t memory = c->file[CGROUP_FILE_MEMORY_PEAK] < 0 ? 0 : read_number(c->file[CGROUP_FILE_MEMORY_PEAK]);
        int64_t pids = c->file[CGROUP_FILE_PIDS_PEAK] < 0 ? 0 : read_number(c->file[CGROUP_FILE_PIDS_PEAK]);

        cpu = cpu > 0 ? cpu : 0;
        *u = (struct cgroup_usage){
                .oom_kills = ooms > 0 ? (uint32_t)ooms : 0,
                .processes_peak = pids > 0 ? (uint32_t)pids : 0,
                .pids_denied = denied > 0 ? (uint64_t)denied : 0,
                .cpu_us = (uint64_t)cpu,
                .cpu_user_us = (uint64_t)user_share(c, cpu),
                .memory_peak_bytes = memory > c->residue ? (uint64_t)(memory - c->residue) : 0,
        };
}

uint64_t cgroup_slot_weigh(struct cgroup_slot *c)
{
        if (c->n_warm++ % WEIGH_EACH != 0)
                return 0;
        int64_t bytes = read_number(c->file[CGROUP_FILE_MEMORY_NOW]) - c->residue;
        return bytes > 0 ? (uint64_t)bytes : 0;
}

int64_t cgroup_slot_pids(const struct cgroup_slot *c)
{
        return read_number(c->file[CGROUP_FILE_PIDS_NOW]);
}
