/* What one row gave in one round, and the two ways in which a row is measured. A plain value, like the histogram in it.
 */
#pragma once

#include "proto/base/err.h"
#include "proto/base/histogram.h"

#include <stdbool.h>
#include <stdint.h>

/* One at a time, with a pause before each: the latency of a machine that is not busy. */
struct pace {
        uint32_t warm_runs; /* first, and not counted */
        uint32_t runs;
        uint64_t pause_ns;
};

/* As fast as it goes: what ends between start and end counts; what is begun before and ends after does not. Absolute,
 * so that processes in parallel share it. */
struct window {
        uint64_t start_ns;
        uint64_t end_ns;
};

enum { SAMPLE_TEXT_SIZE = 192 };

/* CPU time of the server's processes while the row lasted, warm-up included. */
struct sample_cpu {
        bool measured;
        double pool_seconds;
        double supervisor_seconds;
        double seconds; /* of all of them, sandboxes and inits included */
        uint64_t runs;  /* in that time */
};

/* What the control group of a whole server held before its first run. */
struct sample_memory {
        bool measured;
        uint64_t bytes;
        uint64_t kernel_bytes; /* the part of it that the kernel holds for the server's processes */
        uint32_t warm;
        char reason[ERR_TEXT_SIZE]; /* where it was wanted and not measured */
};

/* End of a run to the slot's next warm sandbox, as the server says it. */
struct sample_recycle {
        bool measured;
        uint64_t p50_us;
        uint64_t p99_us;
        char reason[ERR_TEXT_SIZE];
};

enum { SAMPLE_STAGES = 16 };

/* Where the time of runs went, as the server says it: see StageStatus in hatchery.proto. */
struct sample_stages {
        unsigned n; /* 0: not measured */
        struct {
                char name[16];
                uint64_t count;
                uint64_t sum_us;
                uint64_t p50_us; /* over all runs of the server, as are the next; 0 where the rest is a row's own */
                uint64_t p90_us;
                uint64_t p99_us;
                uint64_t max_us;
        } stage[SAMPLE_STAGES];
};

/* Programs that wrote at one time, and were read as they did. */
struct sample_stream {
        unsigned n;     /* 0: not measured */
        double seconds; /* from the first byte that came to the last */
        uint64_t bytes;
        uint64_t slowest, fastest;       /* bytes that had come of one stream when the first one had come whole */
        uint64_t lost;                   /* bytes that were written, and did not come */
        uint64_t pool_before, pool_peak; /* bytes of memory of the server's pool; 0: not known */
};

struct sample {
        struct histogram latency; /* of the runs that were answered rightly, and they alone */
        uint64_t wrong;           /* answered otherwise, whether inside the window or not */
        char first_wrong[SAMPLE_TEXT_SIZE];
        double seconds;            /* the window, or how long the paced runs took with their pauses */
        uint64_t runs;             /* all of them, warm-up included */
        double client_cpu_seconds; /* that the load generator used for them; 0 where it is part of what is measured */
        double offered;            /* requests per second of an open loop; 0: none */
        struct sample_cpu cpu;
        struct sample_memory memory;
        struct sample_recycle recycle;
        struct sample_stream stream;
        struct sample_stages stages; /* while the row lasted, warm-up included */
};

/* A right answer that took from began to ended, if it ended inside the window. */
void sample_right(struct sample *s, const struct window *w, uint64_t began_ns, uint64_t ended_ns);
void sample_wrong(struct sample *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Adds what a parallel process saw in the same window. */
void sample_merge(struct sample *into, const struct sample *from);

/* Right answers per second. */
double sample_rate(const struct sample *s);

/* A window that holds every time: for paced runs. */
extern const struct window sample_always;
