/* Decides which place in the keeper, and so which host users, each language has. A language keeps its place for life.
 * No other language gets the place before all processes there are dead and their leftovers gone. */
#pragma once

#include "hatcheryd/keeper.h"

/* Marks the place as free. */
void places_free(struct kept_language *l);

/* The language of that name, or NULL. */
struct kept_language *places_find(struct keeper *k, const char *name);

/* Applies the present settings. A language that is new or comes back gets a place, and is marked as wanting a zygote. A
 * language that is gone is marked as leaving. If no place is free, a new language gets the next one that becomes
 * free. */
void places_assign(struct keeper *k);

/* Frees the place of a language that is leaving, if no process and no cgroup of it is left. The pool, and not this
 * function, makes the language's zygotes end. */
void places_let_go(struct keeper *k, struct kept_language *l);
