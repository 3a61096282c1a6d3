/* Two ways to read a sandbox's filter: from its instructions, and from the table of --print-seccomp. */
#pragma once

#include "zygote/sandbox/seccomp.h"

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FILTER_MAX_LINES = 512 };

struct filter_line {
        char name[40];
        uint32_t answer;
        bool has_condition;
        unsigned argument;
        char compare[8]; /* "&" for a masked comparison */
        uint64_t value, masked;
};

struct filter_table {
        struct filter_line at[FILTER_MAX_LINES];
        size_t n;
};

/* The action that the kernel takes for this call, according to one filter program. */
uint32_t filter_interpret(const struct seccomp_program *p, const struct seccomp_data *data);

void filter_table_read(struct filter_table *t);

/* The table's action for a call; name may be NULL, for a number without a name. */
uint32_t filter_expected(const struct filter_table *t, const char *name, const struct seccomp_data *data);
