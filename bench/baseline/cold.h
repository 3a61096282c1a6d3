/* The cold start: the cost of starting an interpreter after the request has come. Starts `python3 -I -c CODE`, or the
 * workload's own command in the folder of its file, by posix_spawn, reads its output and reaps it, without any wall
 * around it. */
#pragma once

#include "bench/base/sample.h"
#include "bench/base/workload.h"
#include "proto/base/err.h"

int cold_paced(struct sample *s, const struct program *p, const struct pace *pace, struct err *e);

/* Keeps n running at once: each is followed by the next as soon as it is reaped. */
int cold_window(struct sample *s, const struct program *p, unsigned n, const struct window *window, struct err *e);

/* One run that is neither timed nor checked: its output, of which there must be less than size bytes, and wait's
 * status.
 */
int cold_once(const struct program *p, char *out, size_t size, size_t *len, int *status, struct err *e);
