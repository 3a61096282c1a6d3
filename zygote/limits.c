/* Rlimits: see limits.h. Only ever lowered: a hard limit can't be raised again without CAP_SYS_RESOURCE. */
#include "zygote/limits.h"

#include <errno.h>
#include <stddef.h>
#include <sys/resource.h>

struct limit_setting {
        int resource;
        rlim_t value;
        const char *why;
};

static const struct limit_setting settings[] = {
        { RLIMIT_CORE, 0, "a dump would be a file of the size of the memory" },
        { RLIMIT_NICE, 0, "nobody gets ahead of the others" },
        { RLIMIT_RTPRIO, 0, "nor out of their reach" },
        { RLIMIT_MEMLOCK, 64 << 10, "locked memory can't be reclaimed when the cgroup is full" },
        { RLIMIT_MSGQUEUE, 819200, "the kernel's own default; queue memory is the kernel's" },
        { RLIMIT_SIGPENDING, 1024, "queued signals are the kernel's memory" },
};

int limits_apply(void)
{
        for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
                struct rlimit now;
                if (getrlimit((__rlimit_resource_t)settings[i].resource, &now) < 0)
                        return -errno;
                rlim_t value = settings[i].value < now.rlim_max ? settings[i].value : now.rlim_max;
                struct rlimit lower = { value, value };
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
        rlim_t value = n < now.rlim_max ? n : now.rlim_max;
        struct rlimit lower = { value, value };
        return setrlimit(RLIMIT_NOFILE, &lower) < 0 ? -errno : 0;
}
