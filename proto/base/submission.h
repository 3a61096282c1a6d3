/* A submission: a caller's request to run something, as plain C: the program, its input and its limits. The wire's
 * Execute is decoded into a submission. The pool's core takes the submission, and makes a sandbox's job from it. A
 * submission owns no bytes: its spans point into the memory of the code that made it. */
#pragma once

#include "proto/base/limit.h"
#include "proto/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file_span {
        struct span name;
        struct span content;
        struct span raw_name; /* only in a result: the real bytes of a name that is not UTF-8 */
        uint32_t mode;
};

struct env_span {
        struct span name;
        struct span value;
};

enum { TERMINAL_MAX = 65535 };

/* In characters, 1 to TERMINAL_MAX. */
struct terminal_size {
        uint32_t rows, columns;
};

struct submission {
        struct span language;
        bool has_code;
        struct span code;
        struct span entry;
        struct span standard_input;
        bool live_input; /* more input follows while the program runs */
        bool stream;     /* the caller wants output as it comes. Only the front reads this field, to choose the sink */
        bool has_terminal; /* the program runs on a terminal of its own */
        struct terminal_size terminal;
        struct span *interpreter_args; /* words of the interpreter's command line, before the program's name */
        size_t n_interpreter_args;
        struct span interpreter; /* the interpreter to start; empty: the language's own */
        struct span client;
        struct file_span *files;
        size_t n_files;
        struct span *args;
        size_t n_args;
        struct env_span *env;
        size_t n_env;
        bool has_limit[LIMIT_COUNT];
        int64_t limit[LIMIT_COUNT];
        bool has_compile_limits; /* the caller gave limits for the compile step, even if the list is empty */
        bool has_compile_limit[LIMIT_COUNT];
        int64_t compile_limit[LIMIT_COUNT];
        struct span *compile_flags;
        size_t n_compile_flags;
        bool merge_stderr;
        bool echo_last_expression;
        bool unbuffered;
        bool truncate_output; /* on_output_limit = TRUNCATE */
        bool has_collect;
        struct span *globs;
        size_t n_globs;
        uint32_t collect_max_files; /* 0: the server's ceiling */
        uint64_t collect_max_bytes; /* 0: the server's ceiling */
        bool collect_changed_only;  /* leaves out the request's files that the run has not changed */
        uint64_t deadline_us;       /* 0: none */
        uint32_t priority;
        struct span run_id;          /* for the front: the caller's name for the run, for CancelRun; empty: none */
        struct span idempotency_key; /* for the front: requests with the same key get one answer; empty: none */
};

/* True if the run gets an interpreter that is started for this run. */
static inline bool submission_is_fresh(const struct submission *x)
{
        return x->n_interpreter_args > 0 || x->interpreter.len > 0 || x->has_terminal;
}
