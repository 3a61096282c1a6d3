/* Patterns for output files. `?` stands for one byte, and `*` for any number of bytes, within one name. `**` crosses
 * directories. A slash after `**` may match nothing, so that two stars, a slash and a name find this name at any depth.
 */
#pragma once

#include <stdbool.h>

enum { GLOB_PATH_MAX = 4096 };

/* True if the whole path matches. For every pattern, the time is at most proportional to the product of both lengths,
 * because there is no backtracking. Paths of GLOB_PATH_MAX bytes and more never match. */
bool glob_match(const char *pattern, const char *path);
