/* The zygote is the process with the initialised interpreter. Sandboxes are forked from it. It has the privileges that
 * namespaces, mounts and cgroups need, so it reads only orders of the pool. */
#pragma once

#include "lang/command.h"
#include "proto/base/log.h"
#include "zygote/base/hierarchy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { ZYGOTE_FD_CHANNEL = 3 }; /* the pool's packets, see proto/ipc/channel.h */

/* The strings may lie in main's own argv: that memory is overwritten once the zygote is ready. */
struct zygote_arguments {
        const char *language;
        const char *runtime;      /* the plug-in's name for itself */
        const char *plugin;       /* path of the language's shared object */
        const char *init_program; /* path of hatchery-init */
        char *const *preload;
        size_t n_preload;
        const struct cgroup_hierarchy *cgroups; /* of the instance, as hierarchy_from_arg gives them */
        size_t n_cgroups;
        const char *group;     /* the prefix of its slots' cgroups */
        const char *ceilings;  /* see ceilings_to_arg */
        const char *disk_read; /* the limit of a sandbox's disk reads, see usr_disk_limit; or NULL */
        uint32_t uid_base;     /* of the range of host uids for this language's slots */
        uint32_t inodes;
        const struct lang_command *command; /* of a language that is data; NULL: plugin names its library */
        const char *packages;               /* the host's directory of third-party packages; or NULL */
        const char *files;                  /* the host's directory of Hatchery's own language files; or NULL */
        char *const *paths;   /* the host's directories that sandboxes see besides; ends with NULL, or NULL */
        char *const *prepare; /* a command, see prepare.h; ends with NULL, or NULL */
        const char *cache;    /* where its result is kept */
        const char *identity; /* of the files that the command reads, see prepare.h; or NULL */
        const char *faults;   /* the path of a file of faults (fault.h), for tests; or NULL */
        enum log_level log_level;
};

/* The whole life of a zygote process: confine, initialise, serve. Returns the exit status. */
int zygote_main(const struct zygote_arguments *options);

/* Can sandboxes of a language that is data see these directories of the host? files may be NULL; paths ends with NULL,
 * and may be NULL. A negative errno with a sentence if not. */
int zygote_check_paths(const char *files, bool prepares, char *const *paths, struct err *e);

/* Can the plug-in be loaded, and is it of this version? -ENOENT with a sentence: a library that it needs is missing.
 * The loaded library stays in this process. */
int zygote_check_plugin(const char *runtime, const char *plugin, struct err *e);

/* Prints the system calls that this plug-in's language has beyond those of every sandbox; see seccomp_print. */
int zygote_print_calls(const char *language, const char *plugin, FILE *to, struct err *e);
