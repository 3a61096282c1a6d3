/* The command line of hatchery-bench. */
#pragma once

#include "bench/results.h"
#include "proto/base/err.h"

#include <stdbool.h>
#include <stdio.h>

struct options {
        bool help;
        bool quick;
        bool peers;        /* the peers that are packaged */
        struct peers peer; /* the peers that are chosen, and their places */
        bool sweep;
        bool http;                /* rows over HTTP, too */
        const char *http_address; /* of a server that already runs; NULL: start one */
        bool languages;           /* the table of languages, and nothing else */
        const char *only_those;   /* languages, separated by commas; NULL: all */
        unsigned rounds;          /* 0: the usual number, or that of --quick; so are the next two */
        unsigned window_ms;       /* window of rows that run as fast as possible */
        unsigned runs;            /* runs of rows that are measured one at a time */
        const char *json;         /* file; NULL: none */
        const char *address;      /* of a server that already runs; NULL: start one */
        const char *listen;       /* the address of the server that is started */
        bool only;                /* rows alone says which rows are chosen; false: the other options do */
        bool rows[ROW_COUNT];

        /* Options that only our own processes pass to each other. */
        const char *forker_plugin;
        const char *forker_preload;
};

/* -EINVAL with a sentence for a wrong command line. */
int options_parse(struct options *o, int argc, char *const argv[], struct err *e);
void options_help(FILE *to);

/* Chooses the rows of r, and records why others are left out. */
void options_choose(const struct options *o, struct results *r);
