/* The command line of hatchery-bench. */
#pragma once

#include "bench/results.h"
#include "proto/err.h"

#include <stdbool.h>
#include <stdio.h>

struct options {
        bool help;
        bool quick;
        unsigned rounds;     /* 0: what quick says */
        const char *json;    /* file; NULL: none */
        const char *address; /* of a server that already runs; NULL: start one */
        const char *listen;  /* where the server that is started listens */
        bool rows[ROW_COUNT];

        /* Between our own processes. */
        const char *forker_plugin;
        const char *forker_preload;
};

/* -EINVAL with a sentence for what is no such command line. */
int options_parse(struct options *o, int argc, char *const argv[], struct err *e);
void options_help(FILE *to);
