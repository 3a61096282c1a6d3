/* The command line of hatchery-bench. */
#pragma once

#include "bench/results.h"
#include "proto/base/err.h"

#include <stdbool.h>
#include <stdio.h>

struct options {
        bool help;
        bool quick;
        bool peers;        /* those that are packaged */
        struct peers peer; /* those that are chosen, and where they are */
        bool sweep;
        bool languages;         /* the table of languages, and nothing else */
        const char *only_those; /* languages, separated by commas; NULL: all */
        unsigned rounds;        /* 0: what quick says, as with the next two */
        unsigned window_ms;     /* of rows that go as fast as it goes */
        unsigned runs;          /* of rows that are measured one at a time */
        const char *json;       /* file; NULL: none */
        const char *address;    /* of a server that already runs; NULL: start one */
        const char *listen;     /* where the server that is started listens */
        bool only;              /* rows counts, else what the others say */
        bool rows[ROW_COUNT];

        /* Between our own processes. */
        const char *forker_plugin;
        const char *forker_preload;
};

/* -EINVAL with a sentence for what is no such command line. */
int options_parse(struct options *o, int argc, char *const argv[], struct err *e);
void options_help(FILE *to);

/* Chooses the rows of r; of those left out, says why. */
void options_choose(const struct options *o, struct results *r);
