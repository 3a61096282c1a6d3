/* Which language has which place in the keeper, and with it which host users: it keeps its place for life, and nobody
 * else gets it before all that was there is dead and clean. */
#pragma once

#include "hatcheryd/keeper.h"

/* Makes it one that nobody has. */
void places_free(struct kept_language *l);

/* The one that is called so, or NULL. */
struct kept_language *places_find(struct keeper *k, const char *name);

/* By the settings of now: who is new or comes back gets a place and is to have a zygote, who is gone is leaving. Where
 * there is no place, one is given when another becomes free. */
void places_assign(struct keeper *k);

/* Frees the place of one that is leaving, if nothing is left of it. The pool has its zygotes end. */
void places_let_go(struct keeper *k, struct kept_language *l);
