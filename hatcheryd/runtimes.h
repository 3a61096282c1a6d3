/* What this host can run: every runtime that is known here (plug-ins, and the files of languages that are data), and
 * whether it is there. In the order of names. */
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
        RUNTIME_BROKEN, /* there, but not as it should be */
};

struct runtime {
        char name[32];
        enum runtime_state state;
        char why[ERR_TEXT_SIZE];     /* where it was found, or why it is absent or broken */
        char fault[ERR_TEXT_SIZE];   /* of one that is data and broken: the same without paths of the server's */
        const char *package;         /* Debian packages that bring it, separated by spaces; "" for not known */
        char plugin[HOME_PATH_SIZE]; /* of a plug-in that was found; else "" */
        bool is_data;
        bool in_main; /* its section is in the main file */
        struct config_runtime data;
};

struct runtimes {
        struct runtime *at;
        size_t n;
};

/* main is loaded by config_load_main; its runtimes are taken out of it. An error is that of a file, which it names. */
int runtimes_find(struct runtimes *r, struct config *main, const char *program_directory, struct err *e);
void runtimes_fini(struct runtimes *r);

/* Looks for what would end each zygote of a language that is data: such a one is broken. main_name is what the main
 * file is called, cache an error where its directory can't be had. */
void runtimes_check(struct runtimes *r, const struct config *main, const char *program_directory, const char *main_name,
                    const struct err *cache);

const struct runtime *runtimes_named(const struct runtimes *r, const char *name);
