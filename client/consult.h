/* Asks the server three things before a request is sent. Which language is it, if only the server's list can tell? Does
 * the server take a request of this size? How long may a session on a terminal last? */
#pragma once

#include "client/options.h"
#include "client/program.h"
#include "client/way.h"

/* Asks only if the request depends on an answer, and fills in the language. Waits for languages that are starting, as a
 * request for them would. */
int consult(struct way *w, struct program *p, const struct options *o, struct err *e);
