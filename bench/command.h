/* A row of kind ROW_COMMAND: a program run by a command line, started cold for each run. Who adds one (a jail, a
 * container runtime) defines a `const struct command`, adds a line for each of its rows to row_table, and nothing else:
 * starting, reading, checking and reaping are cold.h's. */
#pragma once

#include "bench/workload.h"
#include "proto/err.h"

#include <stddef.h>

enum { COMMAND_MAX_ARGS = 96, COMMAND_TEXT_SIZE = 256 };

/* What is executed: argv[0] is a path. Strings are borrowed from the command's state, from const tables or from text,
 * which is room for what differs from run to run. */
struct command_line {
        const char *argv[COMMAND_MAX_ARGS]; /* NULL-terminated */
        char text[COMMAND_TEXT_SIZE];
};

struct command {
        const char *name;

        /* Once, before the first round: makes what all runs share (a bundle, a directory). The program is borrowed and
         * outlives the state. A negative errno with a sentence is the reason why this host can't measure it; its rows
         * are then left out, and their bars say so. NULL: nothing to make, state stays NULL. */
        int (*start)(void **state, const struct program *p, struct err *e);

        /* Fills the command line of a run. lane is less than the row's parallel runs, and of no other run that is alive
         * at the same time: what needs a name of its own can be called after it. */
        void (*line)(void *state, const struct program *p, unsigned lane, struct command_line *out);

        /* Removes what start made. NULL where start is. */
        void (*stop)(void *state);
};

/* `python3 -I -c CODE`, with no wall around it. */
extern const struct command command_python;

#define COMMAND_PYTHON "/usr/bin/python3"
