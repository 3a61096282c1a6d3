/* Aliases and extensions that two languages claim. One of them has it, and a request that means the other one would run
 * the wrong program in silence: so the log says it once for each pair. */
#pragma once

struct language;

/* A language is known now: looks at its claims, against those of all that were known before. */
void claims_look(const struct language *l);
