/* The rules for names of files, in requests and in results, as docs/protocol.md states them. Pure. */
#pragma once

#include "proto/base/err.h"
#include "proto/base/submission.h"

/* A name as a sentence shows it: quoted, shortened, without control characters. */
struct names_quoted {
        char text[96];
};
struct names_quoted names_quote(struct span name);

/* Checks that a name is relative, and has no NUL and no part that is empty, ".", ".." or too long. 0, or -EINVAL with a
 * sentence. */
int names_check(struct span name, struct err *e);

/* Checks that the names of n files are all different, and that no name is a directory of another. 0, or -EINVAL with a
 * sentence. */
int names_check_set(const struct file_span *files, size_t n, struct err *e);
