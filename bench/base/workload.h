/* The programs and their right answers: one table, so that every row of a benchmark runs the same program and compares
 * its answers with the same text. */
#pragma once

#include "proto/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum workload_id {
        WORKLOAD_HELLO,
        WORKLOAD_COMPUTE,
        WORKLOAD_ECHO,
        WORKLOAD_CRASH,
        WORKLOAD_REAL,
        WORKLOAD_TIMEOUTS,
        WORKLOAD_SLEEP, /* every eighth program of WORKLOAD_TIMEOUTS */
        WORKLOAD_MEGABYTE,
        WORKLOAD_CLOCK, /* its output is the time of the write */
        WORKLOAD_FLOOD, /* its output is WORKLOAD_FLOOD_BYTES long; byte n is n modulo 251 */

        /* "Hello" in each language, in the order of the table of languages. */
        WORKLOAD_FIRST_LANGUAGE,
        WORKLOAD_PYTHON = WORKLOAD_FIRST_LANGUAGE,
        WORKLOAD_PERL,
        WORKLOAD_PHP,
        WORKLOAD_RUBY,
        WORKLOAD_LUA,
        WORKLOAD_LUAJIT,
        WORKLOAD_TCL,
        WORKLOAD_SQLITE,
        WORKLOAD_PROLOG,
        WORKLOAD_R,
        WORKLOAD_C_FAST,
        WORKLOAD_JAVASCRIPT,
        WORKLOAD_JAVA,
        WORKLOAD_C,
        WORKLOAD_CPP,
        WORKLOAD_RUST,
        WORKLOAD_GO,
        WORKLOAD_BASH,
        WORKLOAD_AWK,
        WORKLOAD_BC,
        WORKLOAD_COUNT,
};

/* WORKLOAD_FLOOD writes 10 MB/s for 1.5 s. Its output limit is within the built-in ceiling. */
enum { WORKLOAD_FLOOD_BYTES = 15000000, WORKLOAD_FLOOD_OUTPUT = 16 << 20 };

struct program;

struct workload {
        const char *name;
        const char *language;
        const char *file; /* the program's name if it is run from a file */
        const char *code; /* with takes_steps: a format that takes the number of steps */
        bool takes_steps;
        const char *const *cold; /* the language's own command, in a directory with the file; NULL: python3 -I -c */
        const char *out;         /* all of standard output; standard error must be empty. NULL: fill makes it */
        int (*fill)(struct program *p, uint32_t steps);
        int signal;      /* the signal that ends the program; 0: it exits with 0 */
        int64_t wall_us; /* the requested wall limit; 0: the server's default */
        bool times_out;  /* the limit must end it */
        unsigned every;  /* if not 0, each request whose number is divisible by this runs `other` instead */
        enum workload_id other;
};

/* The interpreter for Python without a server. */
#define WORKLOAD_INTERPRETER "/usr/bin/python3"

extern const struct workload workload_table[WORKLOAD_COUNT];

/* A workload made ready to be run. */
struct program {
        const struct workload *w;
        const char *folder; /* borrowed: the directory of the file, for a cold command that takes a file; else NULL */
        char *code;
        char *in; /* standard input; NULL: none */
        size_t in_len;
        char *out; /* the right standard output */
        size_t out_len;
};

/* steps: the length of the computation. p is released by program_fini in every case. */
int program_init(struct program *p, enum workload_id id, uint32_t steps, struct err *e);
void program_fini(struct program *p);

bool program_answered(const struct program *p, const void *out, size_t len);

/* True if a process with this program has ended as it must; status is wait's. */
bool program_ended(const struct program *p, int status);
