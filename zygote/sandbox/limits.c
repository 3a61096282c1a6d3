/* Rlimits: see limits.h. Limits are only lowered: a hard limit can't be raised again without CAP_SYS_RESOURCE. */
#include "zygote/sandbox/limits.h"

#include "proto/base/limit.h"

#include <errno.h>
#include <stddef.h>
#include <sys/resource.h>

struct limit_setting {
        int resource;
        rlim_t soft, hard;
        const char *why;
};

/* Why a dump may have one byte: at 0 the kernel writes no file, but still starts the program that core_pattern pipes
 * to. That program runs as root, on the host, with the memory of the sandbox as its input. 1 is the only value that
 * means "no dump of any kind". No program may set this limit, so it stays 1 (zygote/sandbox/seccomp.c). */
static const struct limit_setting settings[] = {
        { RLIMIT_CORE, 1, 1, "no dump: see above" },
        { RLIMIT_STACK, 8 << 20, LIMIT_STACK_MOST,
          "the usual one, whatever the server's is; the cgroup counts what is used" },
        { RLIMIT_NICE, 0, 0, "no sandbox may raise its priority" },
        { RLIMIT_RTPRIO, 0, 0, "no sandbox may use real-time scheduling" },
        { RLIMIT_MEMLOCK, 64 << 10, 64 << 10, "locked memory can't be reclaimed when the cgroup is full" },
        { RLIMIT_MSGQUEUE, 0, 0,
          "counted per slot's user, and freed some time after the run: the next run could notice the last one" },
        { RLIMIT_SIGPENDING, 1024, 1024, "queued signals are the kernel's memory" },
};

static rlim_t least(rlim_t a, rlim_t b)
{
        return a < b ? a : b;
}

int limits_apply(void)
{
        for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
                struct rlimit now;
                if (getrlimit((__rlimit_resource_t)settings[i].resource, &now) < 0)
                        return -errno;
                struct rlimit lower = { least(settings[i].soft, now.rlim_max), least(settings[i].hard, now.rlim_max) };
                if (setrlimit((__rlimit_resource_t)settings[i].resource, &lower) < 0)
                        return -errno;
        }
        return 0;
}

int limits_open_files(unsigned long n)
{
        struct rlimit now;
        if (getrlimit(RLIMIT_NOFILE, &now) < 0)
                return -errno;
        rlim_t value = least(n, now.rlim_max);
        struct rlimit lower = { value, value };
        return setrlimit(RLIMIT_NOFILE, &lower) < 0 ? -errno : 0;
}

int limits_stack(unsigned long bytes)
{
        struct rlimit now;
        if (getrlimit(RLIMIT_STACK, &now) < 0)
                return -errno;
        now.rlim_cur = least(bytes, now.rlim_max);
        return setrlimit(RLIMIT_STACK, &now) < 0 ? -errno : 0;
}
