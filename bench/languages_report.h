/* The results of each language, and their table. */
#pragma once

#include "bench/base/machine.h"
#include "bench/base/sample.h"
#include "bench/base/status.h"
#include "bench/base/workload.h"
#include "proto/base/err.h"

#include <stdio.h>

/* In the order in which they are measured. */
enum languages_metric {
        LANGUAGES_COLD_P50,    /* us: the language's own command, compiling included */
        LANGUAGES_FORK_P50,    /* us: bare fork, one at a time */
        LANGUAGES_FORK_RATE,   /* per second: bare forks, one process per core */
        LANGUAGES_P50,         /* us: Hatchery, one at a time; compiled languages with a hit in the cache */
        LANGUAGES_RATE,        /* per second: Hatchery, 16 connections */
        LANGUAGES_COMPILE_P50, /* us: Hatchery, one at a time, with sources that are new to the cache; only for compiled
                                * languages */
        LANGUAGES_METRICS,
};

enum { LANGUAGES_MAX_ROUNDS = 15 };

struct languages_row {
        enum workload_id id;
        const char *name;
        struct status_language status; /* after the last round */
        unsigned rounds[LANGUAGES_METRICS];
        double value[LANGUAGES_METRICS][LANGUAGES_MAX_ROUNDS];
};

struct languages_report {
        unsigned rounds;
        size_t n;
        struct languages_row rows[WORKLOAD_COUNT - WORKLOAD_FIRST_LANGUAGE + 1];
        struct sample_memory memory; /* of the whole server, before the first request */
        unsigned long long wrong;
};

void languages_note(struct languages_report *r, struct languages_row *row, enum languages_metric m, unsigned round,
                    const struct sample *s);

void languages_print(FILE *to, const struct languages_report *r, const struct machine *m);

int languages_write_json(const char *path, const struct languages_report *r, const struct machine *m, struct err *e);
