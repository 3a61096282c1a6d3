/* The limits of a run, by index. One table gives each limit its name on the wire, in the configuration and on the
 * command line. So these three and every refusal use the same names. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum limit {
        LIMIT_WALL,       /* us */
        LIMIT_CPU,        /* us */
        LIMIT_MEMORY,     /* bytes */
        LIMIT_PIDS,       /* processes and threads */
        LIMIT_OUTPUT,     /* bytes, each stream */
        LIMIT_DISK,       /* bytes */
        LIMIT_OPEN_FILES, /* descriptors per process */
        LIMIT_STACK,      /* bytes of the first thread's stack */
        LIMIT_COUNT,
};

enum { LIMIT_STACK_MOST = 512 << 20 }; /* the hard limit of every sandbox; no ceiling is above it */

enum limit_unit { LIMIT_UNIT_US, LIMIT_UNIT_BYTES, LIMIT_UNIT_COUNT };

struct limit_row {
        const char *name;           /* on the wire and in the configuration: "wall_us" */
        const char *option;         /* on the command line: "wall" */
        const char *compile_option; /* the same for the compile step */
        enum limit_unit unit;
        int64_t floor;    /* the least that a request may ask for */
        int64_t standard; /* the built-in default */
        int64_t ceiling;  /* the built-in ceiling */
        const char *help;
};

extern const struct limit_row limit_table[LIMIT_COUNT];

/* Parses a number with a suffix of the unit, in any case of letters. Times have us, ms, s, m or min, h; without a
 * suffix they are seconds. Bytes have K, M, G (also KB or KiB), which are powers of 1024. Times and bytes may have a
 * point and up to 9 digits behind it. Returns 0, or -EINVAL for anything else, also for negative values and overflow.
 */
int limit_parse(enum limit_unit unit, const char *text, int64_t *value);

enum { LIMIT_TEXT_SIZE = 32 };

/* The exact value for people, in the largest unit that gives a whole number: "60 s", "1536 MiB". Returns out. */
const char *limit_text(char out[LIMIT_TEXT_SIZE], enum limit_unit unit, int64_t value);
