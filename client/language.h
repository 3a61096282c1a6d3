/* A language in a server's status. Pure. */
#pragma once

#include "proto/base/span.h"
#include "proto/wire/answer.h"

/* Finds the language of this name, else the language with this alias, in any case of letters. The server itself chooses
 * in the same way. NULL: none. */
hatchery_v1_LanguageStatus *language_find(const struct answer *status, struct span name);
