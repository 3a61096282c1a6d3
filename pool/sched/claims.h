/* Finds aliases and extensions that two languages claim. Only one of the two languages gets the name. A request that
 * means the other language would silently run the wrong one. So the conflict is logged, once for each pair. */
#pragma once

struct language;

/* A language is known now: compares its claims with those of all languages that were known before. */
void claims_look(const struct language *l);
