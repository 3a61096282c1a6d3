/* Reads the configuration for all roles: parses the main file and the files of languages, finds out what is installed,
 * and merges everything into one text, which every role reads. */
#pragma once

#include "hatcheryd/runtimes.h"
#include "pool/config/config.h"
#include "proto/base/err.h"
#include "proto/base/log.h"

#include <stdbool.h>

struct settings_source {
        const char *path; /* NULL: the built-in configuration */
        const char *program_directory;
        bool leaves_nothing;   /* the caller only examines the host: directories that are made are removed again */
        const struct log *log; /* gets a line for each configured language that is missing; or NULL */
};

/* On success the caller owns *config (config_fini), *fd and *merged (free). *fd is a memory file with the merged text:
 * every role reads the same text, even if the files change meanwhile. *merged is for settings_identify. An error names
 * file and line. */
int settings_read(const struct settings_source *source, struct config *config, char **merged, int *fd, struct err *e);

/* Like settings_read, but from a text that was merged before. It reads no file of the configuration. It looks only at
 * compilers and the files that they read. */
int settings_identify(const char *merged, const char *name, struct config *config, int *fd, struct err *e);

/* Reads the main file alone, and finds the runtimes of this host; the caller owns both. */
int settings_survey(const struct settings_source *source, struct runtimes *runtimes, struct config *main,
                    struct err *e);
