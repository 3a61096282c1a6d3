/* The rules for names of files, in and out, as docs/protocol.md states them. Pure. */
#pragma once

#include "proto/base/err.h"
#include "proto/base/submission.h"

/* Room for a name in a sentence: quoted, shortened, free of control characters. */
struct names_quoted {
        char text[96];
};
struct names_quoted names_quote(struct span name);

/* Is it relative, without empty, "." or ".." parts, NUL or overlong parts? -EINVAL with a sentence. */
int names_check(struct span name, struct err *e);

/* Are the names of n files all different, and none a directory of another? -EINVAL with a sentence. */
int names_check_set(const struct file_span *files, size_t n, struct err *e);
