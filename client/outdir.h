/* Writing the files of a run below one directory, and nowhere else: the untrusted program chose their names. */
#pragma once

#include "proto/base/err.h"
#include "proto/wire/request.h"

/* Opens the directory, and makes it if it does not exist; its parent must exist. The caller owns the descriptor. */
int outdir_open(const char *path, struct err *e);

/* Writes one file below dir, making directories as needed. An existing file of that name is replaced, never written
 * into; no symbolic link on the way is followed. -EINVAL for a name that is absolute or has empty, "." or ".."
 * parts. */
int outdir_write(int dir, const struct file_span *f, struct err *e);
