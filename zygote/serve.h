/* The zygote's loop: orders from the pool, reports of children, deaths, packets of inits. The zygote reads no byte
 * that a client or a sandbox wrote. It carries out only the orders of a closed table (serve_orders.c), each only in the
 * states that the table permits. */
#pragma once

#include "proto/base/log.h"
#include "zygote/tenant.h"

struct serve;

/* report_sock is the zygote's end of the socket whose other end is maker->birth->settings.report. ceilings is a text,
 * as ceilings_to_arg makes it. Borrows everything else. */
int serve_new(struct serve **out, const struct log *log, int channel, int report_sock, struct tenant_maker *maker,
              const char *ceilings, struct err *e);

/* The highest limits that the pool may order; no child gets the memory that this points to. */
const struct ceilings *serve_ceilings(const struct serve *s);

/* Returns 0 after ORDER_DRAIN or the pool's end of file, with every sandbox and slot gone. Returns a negative errno
 * with a sentence if the pool broke the protocol. */
int serve_run(struct serve *s, struct err *e);

void serve_free(struct serve *s);
