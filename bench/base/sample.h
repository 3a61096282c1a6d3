/* The results of one row in one round, and the two ways of measuring a row. A sample has no pointers, so processes can
 * send copies of it through pipes. */
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

/* As fast as possible: runs that end between start and end count. The times are absolute, so that parallel processes
 * share them. */
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
        double gateway_seconds; /* all workers; 0 without HTTP */
        double seconds;         /* of all processes, sandboxes and inits included */
        uint64_t runs;          /* in that time */
};

/* The memory of a whole server's control group before its first run. */
struct sample_memory {
        bool measured;
        uint64_t bytes;
        uint64_t kernel_bytes; /* the part of bytes that the kernel holds for the server's processes */
        uint32_t warm;
        char reason[ERR_TEXT_SIZE]; /* why the memory was not measured, although it was asked for */
};

/* From the order of a slot's next sandbox until it is warm, as the server reports it. */
struct sample_recycle {
        bool measured;
        uint64_t p50_us;
        uint64_t p99_us;
        char reason[ERR_TEXT_SIZE];
};

enum { SAMPLE_STAGES = 16 };

/* The stages of runs, as the server reports them: see StageStatus in hatchery.proto. */
struct sample_stages {
        unsigned n; /* 0: not measured */
        struct {
                char name[16];
                uint64_t count;
                uint64_t sum_us;
                uint64_t p50_us; /* this and the next three: over all runs of the server; 0 if count and sum cover only
                                  * one row */
                uint64_t p90_us;
                uint64_t p99_us;
                uint64_t max_us;
        } stage[SAMPLE_STAGES];
};

/* Programs that wrote at the same time, and whose output was read while they wrote. */
struct sample_stream {
        unsigned n;     /* 0: not measured */
        double seconds; /* from the first byte that came to the last */
        uint64_t bytes;
        uint64_t slowest, fastest;       /* bytes of one stream that had come when the first stream ended */
        uint64_t lost;                   /* bytes that were written but did not come */
        uint64_t pool_before, pool_peak; /* bytes of memory of the server's pool; 0: not known */
};

/* Connections over HTTP that are kept without a request. */
struct sample_idle {
        unsigned connections;                   /* 0: not measured */
        uint64_t gateway_before, gateway_after; /* bytes of memory of the gateway's workers */
};

struct sample {
        struct histogram latency; /* only of runs with a right answer */
        uint64_t wrong;           /* other answers, inside the window or not */
        char first_wrong[SAMPLE_TEXT_SIZE];
        double seconds;            /* the window, or the time of the paced runs with their pauses */
        uint64_t runs;             /* all runs, warm-up included */
        double client_cpu_seconds; /* CPU time of the load generator; 0 if the generator is a part of the measurement */
        double offered;            /* requests per second of an open loop; 0: none */
        struct sample_cpu cpu;
        struct sample_memory memory;
        struct sample_recycle recycle;
        struct sample_stream stream;
        struct sample_idle idle;
        struct sample_stages stages; /* while the row lasted, warm-up included */
};

/* Counts a right answer that took from began to ended, if it ended inside the window. */
void sample_right(struct sample *s, const struct window *w, uint64_t began_ns, uint64_t ended_ns);
void sample_wrong(struct sample *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Adds the results of a parallel process in the same window. */
void sample_merge(struct sample *into, const struct sample *from);

/* Right answers per second. */
double sample_rate(const struct sample *s);

/* A window that holds every time: for paced runs. */
extern const struct window sample_always;
