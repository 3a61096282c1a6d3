/* The compiler flags that a request may set. The file of a language lists the allowed forms. All other flags are
 * refused, since flags can make a compiler read, load and write files. A form is a literal flag, except for braces:
 * {a,b,c} stands for one of these words, {NAME} for an identifier, and {VALUE} for letters, digits and . _ + -, or
 * nothing. Pure. */
#pragma once

#include "pool/base/refusal.h"
#include "proto/base/submission.h"

#include <stdbool.h>
#include <stddef.h>

/* True if the text is the form of a flag: it begins with a dash, and its braces are closed. */
bool flags_is_form(const char *text);

/* True if the flag has this form. */
bool flags_match(const char *form, struct span flag);

/* 0, or REFUSED and a sentence that names the allowed forms. forms ends with NULL, and is NULL if no flags are allowed.
 */
int flags_check(const struct submission *x, char *const *forms, struct refusal *refusal);
