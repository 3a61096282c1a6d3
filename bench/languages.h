/* `--languages`: one table with every language that the server has. For each, in rounds in which all have their turn:
 * its own command started cold, the bare fork where it is forked, Hatchery's latency one at a time and its throughput;
 * and, from the server, what a warm sandbox holds and how long a refill takes. */
#pragma once

#include "bench/base/machine.h"
#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct languages_plan {
        const char *self; /* this program's file: it is the forkers', too */
        const char *hatcheryd;
        const char *folder; /* where the plug-ins lie */
        bool quick;
        unsigned rounds;  /* 0: what quick says */
        const char *only; /* names separated by commas; NULL: all */
        const char *json; /* file, or NULL */
        const struct machine *machine;
};

/* Starts a server with the built-in configuration, measures, and prints. Wrong answers are counted in *wrong, and no
 * error; a language that the server does not have is said to be missing. */
int languages_run(const struct languages_plan *plan, unsigned long long *wrong, struct err *e);
