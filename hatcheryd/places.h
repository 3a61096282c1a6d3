/* Which language has which place in the keeper, and with it which host users. A language keeps its place for life. No
 * other language gets the place before all processes there are dead and their leftovers gone. */
#pragma once

#include "hatcheryd/keeper.h"

/* Makes the place a free one. */
void places_free(struct kept_language *l);

/* The language of that name, or NULL. */
struct kept_language *places_find(struct keeper *k, const char *name);

/* Applies the present settings. A language that is new or comes back gets a place and is to have a zygote; a language
 * that is gone is leaving. If no place is free, a language gets one when another becomes free. */
void places_assign(struct keeper *k);

/* Frees the place of a language that is leaving, if nothing is left of it. The pool makes its zygotes end. */
void places_let_go(struct keeper *k, struct kept_language *l);
