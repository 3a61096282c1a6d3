/* Aliases and extensions that two languages claim. One of them gets the name, and a request that means the other would
 * silently run the wrong language. So the log says it once for each pair. */
#pragma once

struct language;

/* A language is known now: compares its claims with those of all that were known before. */
void claims_look(const struct language *l);
