/* The CPU time of a server and all of its processes, from /proc. A living process has its own time. The time of a
 * process that was reaped is in its parent's account. No sandbox is missed, however short its life: the zygote or its
 * slot's init reaps it. */
#pragma once

#include "bench/base/sample.h"
#include "proto/base/err.h"

#include <sys/types.h>

/* The CPU time of all processes since each began, in seconds; out->runs is left alone. */
int usage_read(pid_t supervisor, struct sample_cpu *out, struct err *e);

/* The time that was used between two readings. */
struct sample_cpu usage_between(const struct sample_cpu *before, const struct sample_cpu *after);

/* The resident memory of the gateway's workers, in bytes, and the number of their open descriptors. False: they can't
 * be read. */
bool usage_gateway(pid_t supervisor, uint64_t *bytes, unsigned *descriptors);

/* Bytes of memory that the server's pool has now, and the most that it ever had. False: they can't be read. */
bool usage_pool_memory(pid_t supervisor, uint64_t *now, uint64_t *most);
