/* Patterns for output files. `?` is one byte and `*` any number of bytes within a name; `**` crosses directories, and a
 * slash after it may match nothing, so that a pattern of two stars, a slash and a name finds that name at any depth. */
#pragma once

#include <stdbool.h>

enum { GLOB_PATH_MAX = 4096 };

/* True if the whole path matches. Takes time proportional to the product of both lengths for every pattern, since there
 * is no backtracking. Paths of GLOB_PATH_MAX bytes and more never match. */
bool glob_match(const char *pattern, const char *path);
