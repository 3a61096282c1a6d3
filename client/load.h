/* Reading whole files into memory. */
#pragma once

#include "proto/base/err.h"

#include <stddef.h>
#include <stdint.h>

/* No request can hold more than this, however high the server's ceiling is. */
enum { LOAD_MAX = 1 << 30 };

/* Reads the file at path, or standard input for "-", into fresh memory that the caller frees. *executable (may be NULL)
 * becomes true if the file's owner may execute it. */
int load_file(const char *path, uint8_t **out, size_t *out_len, int *executable, struct err *e);
