/* The load generators: requests to a server over libhatchery, every answer checked. Each has one thread, because on a
 * small machine it shares the cores with the server; its CPU time is in the sample. */
#pragma once

#include "bench/base/sample.h"
#include "bench/load/asking.h"
#include "proto/base/err.h"

#include <stdint.h>

/* Longer than any limit of a run: an answer that takes this long is lost, and the benchmark ends instead of hanging. */
enum { LOAD_LOST_MS = 60000 };

/* The length of a load. */
struct load_span {
        uint64_t warm_ns;   /* first, and not counted */
        uint64_t warm_runs; /* and at least so many runs, in a closed loop */
        uint64_t measure_ns;
};

/* The CPU time of the calling thread. */
double load_cpu_seconds(void);

/* One connection, one request at a time, with a pause before each. Latency counts from just before the request is
 * written until the answer is decoded. */
int load_paced(struct sample *s, const char *address, const struct asking *a, const struct pace *pace, struct err *e);

/* A closed loop: each connection sends its next request as soon as it has the answer to the one before. Warming up
 * begins when all are connected. Returns when the load's time has passed and nothing is in flight any more. */
int load_closed(struct sample *s, const char *address, const struct asking *a, unsigned connections,
                const struct load_span *span, struct err *e);

/* An open loop: requests leave at fixed times, per_second of them, on one connection after the other, even if earlier
 * ones are not answered. Latency counts from the time at which a request should have left, and those times decide which
 * requests lie in the window. So a request that waited, because the server or this process was late, shows its wait. */
int load_open(struct sample *s, const char *address, const struct asking *a, unsigned connections, double per_second,
              const struct load_span *span, struct err *e);

/* One connection, one streamed run at a time, with a pause before each. The program writes the time of its write.
 * Latency counts from that time until the client has received the bytes. */
int load_first_byte(struct sample *s, const char *address, const struct asking *a, const struct pace *pace,
                    struct err *e);

/* The verdict on a program's first output, which must be the time of the write. */
void load_judge_first(struct sample *s, const void *bytes, size_t len, uint64_t received_ns);

/* Runs so many streams at one time, each on a connection of its own and read as fast as possible. The figures go to
 * s->stream. */
int load_flood(struct sample *s, const char *address, const struct asking *a, unsigned streams, struct err *e);
