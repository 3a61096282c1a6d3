/* Telling the results: a table for people, JSON for programs. */
#pragma once

#include "bench/machine.h"
#include "bench/results.h"
#include "proto/err.h"

#include <stdio.h>

/* Markdown, fit for RESULTS.md as it is. */
void report_table(FILE *to, const struct results *r, const struct machine *m);

/* {"machine", "rounds", "bars", "ratios", "raw"}: bars are the ratios that have one; raw holds every row of every round
 * with its histogram, as pairs of a bucket's start in ns and a count. */
int report_json(const char *path, const struct results *r, const struct machine *m, struct err *e);
