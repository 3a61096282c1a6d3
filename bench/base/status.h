/* The server's status after a row. */
#pragma once

#include "bench/base/sample.h"
#include "proto/base/err.h"

/* STATUS_RECYCLED: the number of runs that the server's figures about recycling cover. */
enum { STATUS_RECYCLED = 512, STATUS_PRELOAD_SIZE = 2048 };

/* runs: the number of runs that ended since the row began. If they are too few, or the server reports nothing, r has
 * the reason. */
void status_recycle(const char *address, const char *language, uint64_t runs, struct sample_recycle *r);

/* The number of sandboxes that wait now. */
int status_warm(const char *address, const char *language, unsigned *warm, struct err *e);

/* The server's facts about a language, even before any request. */
struct status_language {
        uint32_t kind; /* enum kind */
        char version[64];
        uint64_t sandbox_bytes;            /* memory of a warm sandbox; 0: not known */
        uint64_t refill_us;                /* median: from an empty slot to the next warm sandbox; 0: not known */
        char preload[STATUS_PRELOAD_SIZE]; /* names of modules, separated by spaces */
};

/* -ENOENT: the server does not have the language. */
int status_of_language(const char *address, const char *language, struct status_language *out, struct err *e);

/* The server's table of stages as it is now. A server that has none gives n = 0. */
int status_stages(const char *address, const char *language, struct sample_stages *s, struct err *e);

/* The difference of two tables: counts and times. Percentiles have no difference, and are 0. */
struct sample_stages status_between(const struct sample_stages *before, const struct sample_stages *after);
