/* Words of a list, separated by spaces, such as aliases and extensions of languages. Pure. */
#pragma once

#include "proto/base/span.h"

#include <stdbool.h>

/* Returns the next word from *at on, and moves *at past that word; at the list's end the word is empty. */
struct span words_next(const char **at);

/* Are the two the same, in any case of letters? */
bool words_same(struct span a, struct span b);

/* Is it one of the words of a list, in any case of letters? */
bool words_have(const char *list, struct span word);
