/* The cold start: the cost of starting an interpreter after the request has come. It starts a command by
 * posix_spawn, reads its output and reaps it. Nothing confines the command. The command is `python3 -I -c CODE`, or the
 * workload's own command in the folder of its file. */
#pragma once

#include "bench/base/sample.h"
#include "bench/base/workload.h"
#include "proto/base/err.h"

int cold_paced(struct sample *s, const struct program *p, const struct pace *pace, struct err *e);

/* Keeps n commands running at once. When one is reaped, the next starts. */
int cold_window(struct sample *s, const struct program *p, unsigned n, const struct window *window, struct err *e);

/* Makes one run that is neither timed nor checked. Gives its output, which must be shorter than size bytes, and the
 * status from wait. */
int cold_once(const struct program *p, char *out, size_t size, size_t *len, int *status, struct err *e);
