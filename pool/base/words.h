/* Words of a list with spaces between: aliases and extensions of languages come so. Pure. */
#pragma once

#include "proto/base/span.h"

#include <stdbool.h>

/* The next word from *at on, which moves behind it; an empty one at the list's end. */
struct span words_next(const char **at);

/* Are the two the same, in any case of letters? */
bool words_same(struct span a, struct span b);

/* Is it one of the words of a list, in any case of letters? */
bool words_have(const char *list, struct span word);
