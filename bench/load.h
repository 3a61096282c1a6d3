/* The load generator: requests to a server over libhatchery, every answer checked. It is one thread, because on a small
 * machine it shares the cores with what it measures; what it used of them is in the sample. */
#pragma once

#include "bench/sample.h"
#include "bench/workload.h"
#include "proto/err.h"

/* One connection, one request at a time, with a pause before each: from before the request is written to the answer
 * decoded. */
int load_paced(struct sample *s, const char *address, const struct workload *w, const struct pace *pace, struct err *e);

/* A closed loop: each connection sends its next request as soon as it has the answer to the one before. Returns when
 * the window has passed and nothing is in flight any more. */
int load_closed(struct sample *s, const char *address, const struct workload *w, unsigned connections,
                const struct window *window, struct err *e);
