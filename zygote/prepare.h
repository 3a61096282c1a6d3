/* Makes the files that a language needs once, ahead of all runs: a precompiled header, an archive of classes. Every
 * sandbox sees them read-only. The language's command runs on the host, as the user nobody and without a way to gain
 * rights, in a directory of the cache. The result is named after the command, the programs that it names, and the files
 * that it reads. Each server locks the results that it uses. A few of the unlocked results are kept, and the next
 * server removes the others. */
#pragma once

#include "proto/base/err.h"
#include "proto/base/log.h"

#include <stddef.h>

struct prepare {
        const char *language;
        char *const *command; /* ends with NULL. {prepared} in a word becomes the directory, {files} that of files */
        const char *identity; /* of other files that the command reads, see hatcheryd/identity.h; "" or NULL for none */
        char *const *env;     /* name=value, ends with NULL; or NULL */
        const char *files;    /* Hatchery's own language files; or NULL */
        const char *cache;    /* made if it is missing */
        const struct log *log;
};

enum { PREPARE_PATH_SIZE = 512 };

/* Gives the directory with the result. If the result is not there it is made now, which may take minutes. To be called
 * with privilege, before the caller leaves the host's mounts. 0, or a negative errno with a sentence that ends with the
 * last words of the command.
 *
 * *held: a descriptor that is the caller's. While it is open, in this process or a child, the result is not removed. */
int prepare_directory(const struct prepare *p, char path[PREPARE_PATH_SIZE], int *held, struct err *e);
