/* The command line of each command of `hatchery`, from one table of options that also makes the --help text. */
#pragma once

#include "proto/base/err.h"
#include "proto/base/limit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum command { COMMAND_RUN = 1, COMMAND_PING = 2, COMMAND_STATUS = 4, COMMAND_LANGUAGES = 8 };

/* Words of the command line, borrowed from argv. */
struct words {
        const char **items;
        size_t n;
};

struct options {
        bool help;
        bool json;
        bool verbose; /* only for `hatchery languages` */
        const char *address;
        int64_t wait_us; /* how long to wait for a server that is still starting */

        /* For `hatchery run` and `hatchery status`. */
        const char *language;

        /* Only for `hatchery run`. */
        const char *code;
        const char *entry;
        const char *standard_input;
        const char *interpreter;
        const char *out_dir;
        const char *client;
        struct words programs; /* FILE... */
        struct words files;    /* NAME=PATH */
        struct words env;      /* NAME=VALUE */
        struct words globs;
        struct words compile_flags;
        struct words interpreter_args;
        struct words args; /* after -- */
        bool has_limit[LIMIT_COUNT];
        int64_t limit[LIMIT_COUNT];
        bool has_compile_limit[LIMIT_COUNT];
        int64_t compile_limit[LIMIT_COUNT];
        int64_t deadline_us;
        int64_t priority;
        bool interactive;
        bool terminal; /* -t: the program gets a terminal, and uses ours through it */
        bool merge_stderr;
        bool truncate;
        bool echo;
        bool collect_all; /* also files that the run has not changed */
        bool unbuffered;  /* if neither this nor buffered is set: unbuffered on a terminal only */
        bool buffered;
        bool compress;
        bool stats;
};

/* Parses argv[1] to the end; argv[0] is the command's name. -EINVAL with a sentence for a usage error. o is filled from
 * zero, borrows from argv, and is to be released by options_fini in every case. */
int options_parse(struct options *o, enum command command, int argc, char **argv, struct err *e);
void options_fini(struct options *o);

/* The --help text of one command. */
void options_help(enum command command, FILE *to);
