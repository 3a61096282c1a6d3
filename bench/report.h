/* Reporting the results: tables for people, JSON for programs. */
#pragma once

#include "bench/base/machine.h"
#include "bench/results.h"
#include "proto/base/err.h"

#include <stdio.h>

/* Markdown, fit for RESULTS.md as it is. */
void report_table(FILE *to, const struct results *r, const struct machine *m);

/* Writes the JSON that bench/RESULTS.md describes. */
int report_json(const char *path, const struct results *r, const struct machine *m, struct err *e);
