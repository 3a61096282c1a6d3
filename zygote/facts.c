/* The files about the machine in /proc: see facts.h. */
#include "zygote/facts.h"

#include "proto/base/own.h"
#include "zygote/base/newmount.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define COMMON "all" /* the directory of files that all slots begin with; a slot's own has its number */

enum { LINE_SIZE = 8192, TEXT_SIZE = 1024 };

static const char *const names[FACTS_FILES] = {
        [FACTS_MEMINFO] = "meminfo", [FACTS_UPTIME] = "uptime",   [FACTS_CPUINFO] = "cpuinfo",
        [FACTS_STAT] = "stat",       [FACTS_LOADAVG] = "loadavg",
};

/* ---------------------------------------------------------------- contents */

/* The lines of cpuinfo that a sandbox sees: those that identify the processor. Some other lines describe the whole
 * machine. The flags alone would take a hundred KiB of each slot on a machine of 64 processors, and a program can ask
 * the processor itself for its flags. */
static const char *const told[] = {
        "vendor_id",        "cpu family",  "model",        "model name", "stepping", "cpu MHz",
        "cache size",       "bogomips",    "BogoMIPS",     "Features",   "CPU part", "CPU implementer",
        "CPU architecture", "CPU variant", "CPU revision", "isa",        "mmu",
};

static bool is_told(const char *line)
{
        size_t len = strcspn(line, "\t:");
        for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
                if (strlen(told[i]) == len && strncmp(line, told[i], len) == 0)
                        return true;
        return false;
}

/* Prints the usable processors with the host's lines, as if the machine had no others. */
static void print_cpuinfo(FILE *to, FILE *host, const cpu_set_t *usable)
{
        char line[LINE_SIZE];
        int n = CPU_COUNT(usable), printed = 0;
        bool is_usable = false;

        while (host && fgets(line, sizeof line, host)) {
                unsigned number;
                if (sscanf(line, "processor : %u", &number) == 1) {
                        is_usable = number < CPU_SETSIZE && CPU_ISSET(number, usable);
                        if (is_usable)
                                fprintf(to,
                                        "%sprocessor\t: %u\nphysical id\t: 0\nsiblings\t: %d\ncore id\t\t: %d\ncpu cores\t: %d\n",
                                        printed ? "\n" : "", number, n, printed, n);
                        printed += is_usable;
                } else if (is_usable && is_told(line)) {
                        fputs(line, to);
                }
        }
        for (unsigned i = 0; i < CPU_SETSIZE && printed == 0; i++) /* a machine whose file has another form */
                if (CPU_ISSET(i, usable))
                        fprintf(to, "processor\t: %u\n\n", i);
        if (printed > 0)
                fputc('\n', to);
}

static int64_t ms_of(clockid_t clock)
{
        struct timespec t;
        clock_gettime(clock, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void print_stat(FILE *to, const cpu_set_t *usable)
{
        static const char zeros[] = "0 0 0 0 0 0 0 0 0 0";
        fprintf(to, "cpu  %s\n", zeros);
        for (unsigned i = 0; i < CPU_SETSIZE; i++)
                if (CPU_ISSET(i, usable))
                        fprintf(to, "cpu%u %s\n", i, zeros);
        fprintf(to, "intr 0\nctxt 0\nbtime %" PRId64 "\nprocesses 0\nprocs_running 1\nprocs_blocked 0\nsoftirq 0\n",
                (ms_of(CLOCK_REALTIME) - ms_of(CLOCK_BOOTTIME)) / 1000);
}

static int print_meminfo(char text[TEXT_SIZE], int64_t memory_bytes)
{
        static const char *const of_limit[] = { "MemTotal:", "MemFree:", "MemAvailable:" };
        static const char *const none[] = { "Buffers:",   "Cached:",       "SwapCached:", "Active:",
                                            "Inactive:",  "SwapTotal:",    "SwapFree:",   "Dirty:",
                                            "Writeback:", "AnonPages:",    "Mapped:",     "Shmem:",
                                            "Slab:",      "SReclaimable:", "SUnreclaim:", "Committed_AS:" };
        int n = 0;
        for (size_t i = 0; i < sizeof of_limit / sizeof of_limit[0]; i++)
                n += snprintf(text + n, TEXT_SIZE - (size_t)n, "%-15s %8" PRId64 " kB\n", of_limit[i],
                              memory_bytes / 1024);
        for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
                n += snprintf(text + n, TEXT_SIZE - (size_t)n, "%-15s %8d kB\n", none[i], 0);
        return n;
}

/* ---------------------------------------------------------------- of a zygote */

/* Can mounts be put together while they are attached nowhere? This tries it on a name of the tmpfs, because a name of
 * /proc that was looked up would stay in memory, and be found later. */
static int try_mounts(struct facts_base *b)
{
        OWN_FD int file = newmount_clone(b->disk, COMMON "/loadavg");
        return file < 0 ? file : newmount_attach(file, b->disk, COMMON "/loadavg");
}

static FILE *begin_file(const struct facts_base *b, enum facts_file which)
{
        OWN_FD int fd = openat(b->same_for_all, names[which], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
        FILE *to = fd < 0 ? NULL : fdopen(fd, "w");
        if (to)
                own_steal_fd(&fd);
        return to;
}

static int write_common(const struct facts_base *b, struct err *e)
{
        cpu_set_t usable;
        int r = 0;

        if (sched_getaffinity(0, sizeof usable, &usable) < 0)
                return err_set(e, errno, "the processors that may be used");
        for (enum facts_file i = FACTS_CPUINFO; i < FACTS_FILES && r == 0; i++) {
                FILE *to = begin_file(b, i);
                if (!to)
                        return err_set(e, errno, "make a file for /proc/%s", names[i]);
                FILE *host = i == FACTS_CPUINFO ? fopen("/proc/cpuinfo", "re") : NULL;
                if (i == FACTS_CPUINFO)
                        print_cpuinfo(to, host, &usable);
                else if (i == FACTS_STAT)
                        print_stat(to, &usable);
                else
                        fputs("0.00 0.00 0.00 1/1 2\n", to);
                if (host)
                        fclose(host);
                if (fclose(to) != 0)
                        r = err_set(e, errno, "write a file for /proc/%s", names[i]);
        }
        return r;
}

/* The tmpfs shows no sizes: they would tell how many slots there are. */
int facts_base_init(struct facts_base *b, struct err *e)
{
        static const struct fs_option options[] = { { "mode", "755" }, { "size", "0" }, { "nr_inodes", "0" } };

        *b = (struct facts_base){ .disk = -1, .same_for_all = -1 };
        OWN_FD int disk = newmount_make("tmpfs", options, 3,
                                        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOATIME);
        if (disk < 0)
                return err_set(e, -disk, "a tmpfs for what /proc says");
        if (mkdirat(disk, COMMON, 0700) < 0)
                return err_set(e, errno, "a directory for what /proc says");
        b->disk = own_steal_fd(&disk);
        b->same_for_all = openat(b->disk, COMMON, O_PATH | O_DIRECTORY | O_CLOEXEC);
        int r = b->same_for_all < 0 ? err_set(e, errno, "a directory for what /proc says") : write_common(b, e);
        b->usable = r == 0 && try_mounts(b) == 0;
        if (!b->usable)
                facts_base_fini(b);
        return r;
}

void facts_base_fini(struct facts_base *b)
{
        own_close(&b->disk);
        own_close(&b->same_for_all);
        *b = (struct facts_base){ .disk = -1, .same_for_all = -1 };
}

/* ---------------------------------------------------------------- of a slot */

void facts_init(struct facts *f)
{
        for (size_t i = 0; i < FACTS_FILES; i++)
                f->fd[i] = -1;
}

void facts_close(struct facts *f)
{
        for (size_t i = 0; i < FACTS_FILES; i++)
                own_close(&f->fd[i]);
        facts_init(f);
}

static int copy(int to, int dir, const char *name)
{
        char part[LINE_SIZE];
        ssize_t n;
        OWN_FD int from = openat(dir, name, O_RDONLY | O_CLOEXEC);
        if (from < 0)
                return -errno;
        while ((n = read(from, part, sizeof part)) > 0)
                if (write(to, part, (size_t)n) != n)
                        return -EIO;
        return n < 0 ? -errno : 0;
}

/* Mounts a file, which only the zygote can write to, over a name of the slot's /proc. */
static int show(const struct facts_base *b, const char *path, int proc, const char *name)
{
        struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };
        OWN_FD int file = newmount_clone(b->disk, path);
        if (file < 0)
                return file;
        if (mount_setattr(file, "", AT_EMPTY_PATH, &read_only, sizeof read_only) < 0)
                return -errno;
        return newmount_attach(file, proc, name);
}

static int make_file(struct facts *f, const struct facts_base *b, uint32_t slot, enum facts_file which)
{
        char path[32];
        snprintf(path, sizeof path, "%" PRIu32 "/%s", slot, names[which]);
        if (unlinkat(b->disk, path, 0) < 0 && errno != ENOENT) /* of an earlier slot with this number */
                return -errno;
        f->fd[which] = openat(b->disk, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
        return f->fd[which] < 0        ? -errno
               : which < FACTS_CPUINFO ? 0
                                       : copy(f->fd[which], b->same_for_all, names[which]);
}

static int make_files(struct facts *f, const struct facts_base *b, uint32_t slot, int proc, struct err *e)
{
        char directory[16];
        snprintf(directory, sizeof directory, "%" PRIu32, slot);
        if (mkdirat(b->disk, directory, 0755) < 0 && errno != EEXIST)
                return err_set(e, errno, "a directory for what /proc says");
        for (enum facts_file i = 0; i < FACTS_FILES; i++) {
                char path[32];
                snprintf(path, sizeof path, "%s/%s", directory, names[i]);
                int r = make_file(f, b, slot, i);
                if (r == 0)
                        r = show(b, path, proc, names[i]);
                if (r < 0)
                        return err_set(e, -r, "show the slot's own /proc/%s", names[i]);
        }
        return 0;
}

int facts_open(struct facts *f, const struct facts_base *b, uint32_t slot, int proc, struct err *e)
{
        static const struct fs_option processes[] = { { "subset", "pid" } };
        int r = !b->usable ? 0 : make_files(f, b, slot, proc, e);
        if (r < 0)
                return r;
        r = newmount_reconfigure(proc, processes, 1);
        if (r < 0)
                return err_set(e, -r, "hide all names but processes in the slot's /proc");
        if (faccessat(proc, "sys", F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
                return err_say(e, EPERM, "the slot's /proc shows more than processes");
        return 0;
}

int facts_tell(const struct facts *f, int64_t memory_bytes, struct err *e)
{
        char text[TEXT_SIZE];

        if (f->fd[FACTS_MEMINFO] < 0)
                return 0;
        int n = print_meminfo(text, memory_bytes);
        if (pwrite(f->fd[FACTS_MEMINFO], text, (size_t)n, 0) != n)
                return err_set(e, errno, "write what /proc/meminfo says");
        int64_t ms = ms_of(CLOCK_BOOTTIME);
        n = snprintf(text, sizeof text, "%" PRId64 ".%02" PRId64 " 0.00\n", ms / 1000, ms % 1000 / 10);
        return pwrite(f->fd[FACTS_UPTIME], text, (size_t)n, 0) == n ? 0
                                                                    : err_set(e, errno, "write what /proc/uptime says");
}
