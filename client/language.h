/* A language in a server's status. Pure. */
#pragma once

#include "proto/base/span.h"
#include "proto/wire/answer.h"

/* The one of this name, in any case of letters, or else with this alias, as the server itself chooses. NULL: none. */
hatchery_v1_LanguageStatus *language_find(const struct answer *status, struct span name);
