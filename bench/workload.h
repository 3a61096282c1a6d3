/* What is run, and what it must answer: one table, so that every row of a benchmark runs the same program and holds its
 * answers to the same text. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct workload {
        const char *name;
        const char *language;
        const char *file; /* what the program is called where it is run from a file */
        const char *code;
        const char *out; /* all of standard output; standard error must be empty, the exit code 0 */
};

extern const struct workload workload_table[];
extern const size_t workload_count;

bool workload_answered(const struct workload *w, const void *out, size_t len);
