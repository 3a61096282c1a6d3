/* What a language makes once, ahead of all runs, and shows to every sandbox read-only: a precompiled header, an archive
 * of classes. Its command runs on the host, as nobody and without a way to gain rights, in a directory of the cache.
 * The result is named after the command, the programs that it names, and what it reads. One that is in use is held by a
 * lock, whichever server uses it; of the others few are kept, and who comes next removes the rest. */
#pragma once

#include "proto/base/err.h"
#include "proto/base/log.h"

#include <stddef.h>

struct prepare {
        const char *language;
        char *const *command; /* ends with NULL. {prepared} in a word becomes the directory, {files} that of files */
        const char *identity; /* of what the command reads besides, see hatcheryd/identity.h; "" or NULL for none */
        char *const *env;     /* name=value, ends with NULL; or NULL */
        const char *files;    /* Hatchery's own language files; or NULL */
        const char *cache;    /* made if it is not there */
        const struct log *log;
};

enum { PREPARE_PATH_SIZE = 512 };

/* *held: a descriptor that keeps the result from being removed while it is open, in this process or a child; the
 * caller's.
 *
 * The directory with the result, made now if it has to be, which may take minutes. Privileged, before the host's mounts
 * are left. 0, or a negative errno with a sentence that ends with what the command said last. */
int prepare_directory(const struct prepare *p, char path[PREPARE_PATH_SIZE], int *held, struct err *e);
