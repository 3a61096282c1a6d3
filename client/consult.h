/* What a request that is ready to be sent still needs to hear from the server: its language, where nothing but the
 * server's own list can tell, whether it takes one that is so large, and how long a session on a terminal may last. */
#pragma once

#include "client/options.h"
#include "client/program.h"
#include "client/way.h"

/* Asks only if something depends on it, and fills in the language. It waits for languages that are starting, as their
 * requests do. */
int consult(struct way *w, struct program *p, const struct options *o, struct err *e);
