/* Faults that a test asks for. A step that is left out shows that an attack works without that wall. A step that fails
 * shows how the server handles the failure. They come from a file that root names on the command line (`hatcheryd
 * --faults`), one to a line:
 *
 *   skip STEP
 *   fail STEP ERRNO
 *
 * The file is mapped and looked at again at each step, so a test may change it while the server runs. It must not
 * shrink, and its last byte is a NUL. A server that was started without such a file has no faults. */
#pragma once

#include "proto/base/err.h"

#include <stddef.h>

struct faults {
        const char *text; /* NULL: no faults */
        size_t size;
};

enum fault { FAULT_NONE, FAULT_SKIP, FAULT_FAIL };

/* Maps the file; it stays mapped for the process's life. */
int faults_open(struct faults *f, const char *path, struct err *e);

/* Finds the fault that the file names for a step; *error is a negative errno with FAULT_FAIL, else 0. f may be NULL. */
enum fault faults_find(const struct faults *f, const char *step, int *error);
