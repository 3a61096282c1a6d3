/* Checks whether a decoded Execute makes sense, and makes the exact plan of it. Every refusal names the field, the
 * value and the bound. Pure. */
#pragma once

#include "pool/base/refusal.h"
#include "proto/base/limit.h"
#include "proto/base/submission.h"

#include <stdbool.h>
#include <stdint.h>

struct check_rules {
        const char *main_file; /* the file name of inline code */
        bool echoes;           /* the language supports echo_last_expression */
        bool prompts;          /* the language has a prompt of its own */
        bool starts_fresh;     /* the language's interpreter can be started anew, with words of its command line */
        bool compiled;         /* the language has a compile step, with limits of its own: */
        const int64_t *compile_standard; /* LIMIT_COUNT each */
        const int64_t *compile_ceiling;
        char *const *compile_flags; /* forms of allowed compiler flags (pool/config/flags.h); NULL: none */
        const int64_t *standard;    /* LIMIT_COUNT each */
        const int64_t *ceiling;
        uint64_t held_bytes; /* memory that a warm sandbox holds: the least memory limit; 0: very little */
        uint32_t collect_max_files;
        uint64_t collect_max_bytes;
};

struct check_plan {
        struct span
                entry; /* the file to start; its bytes belong to the request or the rules. Empty: there is no program */
        int64_t limit[LIMIT_COUNT];
        int64_t compile_limit[LIMIT_COUNT]; /* if there is a compile step */
        uint32_t collect_files;
        uint64_t collect_bytes;
};

/* 0 and the plan, or REFUSED and the refusal. */
int check_execute(const struct submission *x, const struct check_rules *rules, struct check_plan *plan,
                  struct refusal *refusal);
