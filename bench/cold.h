/* The cold start: what everybody pays who starts an interpreter after the request has come. Starts `python3 -I -c CODE`
 * by posix_spawn, reads its output and reaps it, without any wall around it. */
#pragma once

#include "bench/sample.h"
#include "bench/workload.h"
#include "proto/err.h"

#define COLD_PYTHON "/usr/bin/python3"

int cold_paced(struct sample *s, const struct workload *w, const struct pace *pace, struct err *e);

/* n at once, each followed by the next as soon as it is reaped. */
int cold_window(struct sample *s, const struct workload *w, unsigned n, const struct window *window, struct err *e);
