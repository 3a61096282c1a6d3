/* Measuring a row over HTTP. */
#pragma once

#include "bench/rounds.h"

/* Any row but one of LOAD_IDLE, at plan->http_address. */
int rounds_http_load(const struct rounds *plan, const struct row *row, struct sample *s, struct err *e);

/* A row of LOAD_IDLE, on a server of its own. On a used server, memory that a worker had allocated earlier would serve
 * the connections, and the row would not count it. */
int rounds_http_idle(const struct rounds *plan, const struct row *row, struct sample *s, struct err *e);
