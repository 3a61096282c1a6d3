/* `--languages`: one table with every language that the server has. All languages take turns, in rounds. The table has
 * for each: its own command started cold, the bare fork (of a forked language), Hatchery's latency one at a time, and
 * Hatchery's throughput. The server adds the memory of a warm sandbox and the time of a refill. */
#pragma once

#include "bench/base/machine.h"
#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct languages_plan {
        const char *self; /* this program's file, which forkers run, too */
        const char *hatcheryd;
        const char *folder; /* the directory of the plug-ins */
        bool quick;
        unsigned rounds;  /* 0: the usual number, or that of --quick */
        const char *only; /* names separated by commas; NULL: all */
        const char *json; /* file, or NULL */
        const struct machine *machine;
};

/* Starts a server with the built-in configuration, measures, and prints. Wrong answers are counted in *wrong, and are
 * no error; a language that the server does not have is reported as missing. */
int languages_run(const struct languages_plan *plan, unsigned long long *wrong, struct err *e);
