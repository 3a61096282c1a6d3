/* The runtimes of this host: every known runtime (plug-ins, and the files of languages that are data), and whether it
 * is installed. They are sorted by name. */
#pragma once

#include "hatcheryd/home.h"
#include "pool/config/config.h"
#include "proto/base/err.h"
#include "proto/base/log.h"

#include <stdbool.h>
#include <stddef.h>

enum runtime_state {
        RUNTIME_PRESENT,
        RUNTIME_ABSENT, /* not installed */
        RUNTIME_BROKEN, /* installed, but unusable */
};

struct runtime {
        char name[32];
        enum runtime_state state;
        char why[ERR_TEXT_SIZE];     /* where it was found, or why it is absent or broken */
        char fault[ERR_TEXT_SIZE];   /* for a broken language that is data: the reason without paths of the server */
        const char *package;         /* Debian packages that contain it, separated by spaces; "": not known */
        char plugin[HOME_PATH_SIZE]; /* the path of a plug-in that was found; else "" */
        bool is_data;
        bool in_main; /* its section is in the main file */
        struct config_runtime data;
};

struct runtimes {
        struct runtime *at;
        size_t n;
};

/* main is what config_load_main has loaded. This call moves the runtimes out of it. An error names the file with the
 * fault. */
int runtimes_find(struct runtimes *r, struct config *main, const char *program_directory, struct err *e);
void runtimes_fini(struct runtimes *r);

/* Looks for faults that would end each zygote of a language that is data, and marks such a language broken. main_name
 * is the name of the main file. cache holds an error if the cache's directory can't be used. */
void runtimes_check(struct runtimes *r, const struct config *main, const char *program_directory, const char *main_name,
                    const struct err *cache);

const struct runtime *runtimes_named(const struct runtimes *r, const char *name);
