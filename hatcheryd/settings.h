/* Reading the configuration for all roles: the main file and the files of languages are parsed here, what is installed
 * is looked at, and one text is made of it all for the pool. */
#pragma once

#include "hatcheryd/runtimes.h"
#include "pool/config/config.h"
#include "proto/base/err.h"
#include "proto/base/log.h"

#include <stdbool.h>

struct settings_source {
        const char *path; /* NULL: the built-in configuration */
        const char *program_directory;
        bool leaves_nothing;   /* the host is only looked at */
        const struct log *log; /* told what is configured and not there; or NULL */
};

/* On success the caller owns *config (config_fini) and *fd, a memory file with the merged text: every role reads the
 * same one, whatever happens to the files meanwhile; and *merged, which is for settings_identify (free). An error names
 * file and line. */
int settings_read(const struct settings_source *source, struct config *config, char **merged, int *fd, struct err *e);

/* The same from a text that was merged before, without a look at any file of the configuration: what compilers and what
 * they read are by now. */
int settings_identify(const char *merged, const char *name, struct config *config, int *fd, struct err *e);

/* The main file alone, and what is known on this host; both are the caller's. */
int settings_survey(const struct settings_source *source, struct runtimes *runtimes, struct config *main,
                    struct err *e);
