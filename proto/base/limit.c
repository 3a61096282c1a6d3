/* The table of limits: see limit.h. */
#include "proto/base/limit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MIB (1024 * 1024)

/* The floor of memory is 4 MiB, because a waiting interpreter holds 1 to 2 MiB, and the kernel accepts no limit below
 * the memory that is held. The defaults of wall time and output follow snekbox, which gives 6 s and 1 MB, but only
 * 70 MiB of memory. go-judge gives 10 s, and Piston 3 s. An operator may change the ceilings. */
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
        { "", 1000000 },   { "us", 1 },         { "ms", 1000 },      { "s", 1000000 },
        { "m", 60000000 }, { "min", 60000000 }, { "h", 3600000000 }, { NULL, 0 },
};
static const struct suffix byte_suffixes[] = {
        { "", 1 },          { "B", 1 },        { "K", 1 << 10 },   { "KB", 1 << 10 },
        { "KiB", 1 << 10 }, { "M", 1 << 20 },  { "MB", 1 << 20 },  { "MiB", 1 << 20 },
        { "G", 1 << 30 },   { "GB", 1 << 30 }, { "GiB", 1 << 30 }, { NULL, 0 },
};
static const struct suffix count_suffixes[] = {
        { "", 1 },
        { NULL, 0 },
};

/* The value of the digits behind a point, times factor; 0 if there is no point. The result is cut to whole units. With
 * factor 1 all digits behind the point must be 0. */
static int parse_fraction(const char *at, int64_t factor, int64_t *value)
{
        enum { MAX_DIGITS = 9 }; /* number times the largest factor must fit into 63 bits */
        int64_t number = 0, of = 1;
        int digits = 0;

        *value = 0;
        if (*at != '.')
                return 0;
        for (at++; *at >= '0' && *at <= '9'; at++) {
                if (digits++ == MAX_DIGITS)
                        return -EINVAL;
                number = 10 * number + (*at - '0');
                of *= 10;
        }
        *value = number * factor / of;
        return digits > 0 && (factor > 1 || number == 0) ? 0 : -EINVAL;
}

int limit_parse(enum limit_unit unit, const char *text, int64_t *value)
{
        if (*text < '0' || *text > '9')
                return -EINVAL;

        char *point;
        errno = 0;
        int64_t number = strtoll(text, &point, 10), part;
        if (errno != 0)
                return -EINVAL;
        const char *end = point;
        if (*point == '.' && unit != LIMIT_UNIT_COUNT)
                end += 1 + strspn(point + 1, "0123456789");

        const struct suffix *s = unit == LIMIT_UNIT_US      ? time_suffixes
                                 : unit == LIMIT_UNIT_BYTES ? byte_suffixes
                                                            : count_suffixes;
        while (s->text && strcasecmp(end, s->text) != 0)
                s++;
        if (!s->text || parse_fraction(point, s->factor, &part) < 0 ||
            __builtin_mul_overflow(number, s->factor, &number) || __builtin_add_overflow(number, part, value))
                return -EINVAL;
        return 0;
}

const char *limit_text(char out[LIMIT_TEXT_SIZE], enum limit_unit unit, int64_t value)
{
        static const struct suffix times[] = { { "s", 1000000 }, { "ms", 1000 }, { "us", 1 } };
        static const struct suffix sizes[] = {
                { "GiB", 1 << 30 }, { "MiB", 1 << 20 }, { "KiB", 1 << 10 }, { "bytes", 1 }
        };
        const struct suffix *s = unit == LIMIT_UNIT_US ? times : sizes;

        while (s->factor > 1 && (value == 0 || value % s->factor != 0))
                s++;
        if (unit == LIMIT_UNIT_COUNT)
                snprintf(out, LIMIT_TEXT_SIZE, "%" PRId64, value);
        else if (value == 1 && s->factor == 1 && unit == LIMIT_UNIT_BYTES)
                snprintf(out, LIMIT_TEXT_SIZE, "1 byte");
        else
                snprintf(out, LIMIT_TEXT_SIZE, "%" PRId64 " %s", value / s->factor, s->text);
        return out;
}
