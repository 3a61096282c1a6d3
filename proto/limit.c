/* The table of limits: see limit.h. */
#include "proto/limit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MIB (1024 * 1024)

/* The floor of memory: a waiting interpreter holds 1 to 2 MiB, and the kernel does not set a limit below what is held.
 * Defaults after what bots and judges use: snekbox gives 6 s, 70 MiB and 1 MB of output; go-judge and Piston 10 s and
 * 3 s. The ceilings are an operator's to move. */
const struct limit_row limit_table[LIMIT_COUNT] = {
        [LIMIT_WALL] = { "wall_us", "wall", "compile-wall", LIMIT_UNIT_US, 1, 6000000, 60000000,
                         "real time from the program's start" },
        [LIMIT_CPU] = { "cpu_us", "cpu", "compile-cpu", LIMIT_UNIT_US, 1, 5000000, 60000000,
                        "CPU time of all its processes together" },
        [LIMIT_MEMORY] = { "memory_bytes", "memory", "compile-memory", LIMIT_UNIT_BYTES, 4LL * MIB, 256LL * MIB,
                           1024LL * MIB, "memory, files of the sandbox included" },
        [LIMIT_PIDS] = { "pids", "pids", "compile-pids", LIMIT_UNIT_COUNT, 1, 128, 512,
                         "processes and threads at one time" },
        [LIMIT_OUTPUT] = { "output_bytes", "output", "compile-output", LIMIT_UNIT_BYTES, 1, 1 * MIB, 16LL * MIB,
                           "standard output and standard error, each" },
        [LIMIT_DISK] = { "disk_bytes", "disk", "compile-disk", LIMIT_UNIT_BYTES, 1, 48LL * MIB, 512LL * MIB,
                         "bytes in files" },
        [LIMIT_OPEN_FILES] = { "open_files", "open-files", "compile-open-files", LIMIT_UNIT_COUNT, 1, 256, 1024,
                               "descriptors of each process" },
        [LIMIT_STACK] = { "stack_bytes", "stack", "compile-stack", LIMIT_UNIT_BYTES, 256LL << 10, 8LL * MIB,
                          LIMIT_STACK_MOST, "stack of each process's first thread" },
};

struct suffix {
        const char *text;
        int64_t factor;
};

static const struct suffix time_suffixes[] = {
        { "", 1000000 }, { "us", 1 }, { "ms", 1000 }, { "s", 1000000 }, { "m", 60000000 }, { NULL, 0 },
};
static const struct suffix byte_suffixes[] = {
        { "", 1 }, { "B", 1 }, { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 }, { NULL, 0 },
};
static const struct suffix count_suffixes[] = {
        { "", 1 },
        { NULL, 0 },
};

int limit_parse(enum limit_unit unit, const char *text, int64_t *value)
{
        if (*text < '0' || *text > '9')
                return -EINVAL;

        char *end;
        errno = 0;
        long long number = strtoll(text, &end, 10);
        if (errno != 0)
                return -EINVAL;

        const struct suffix *s = unit == LIMIT_UNIT_US      ? time_suffixes
                                 : unit == LIMIT_UNIT_BYTES ? byte_suffixes
                                                            : count_suffixes;
        for (; s->text; s++)
                if (strcmp(end, s->text) == 0)
                        return __builtin_mul_overflow(number, s->factor, value) ? -EINVAL : 0;
        return -EINVAL;
}
