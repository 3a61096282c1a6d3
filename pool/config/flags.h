/* The flags of its compiler that a request may set. The file of a language lists forms; all else is refused, since
 * flags can make a compiler read, load and write files. A form is a literal flag, except for braces: {a,b,c} is one of
 * these words, {NAME} an identifier, and {VALUE} letters, digits and . _ + -, or nothing. Pure. */
#pragma once

#include "pool/base/refusal.h"
#include "proto/base/submission.h"

#include <stdbool.h>
#include <stddef.h>

/* May the text be the form of a flag? It begins with a dash, and its braces are closed. */
bool flags_is_form(const char *text);

/* Is the flag of that form? */
bool flags_match(const char *form, struct span flag);

/* 0, or REFUSED and a sentence that names the allowed forms. forms ends with NULL, and is NULL if there are none. */
int flags_check(const struct submission *x, char *const *forms, struct refusal *refusal);
