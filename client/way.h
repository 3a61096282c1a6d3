/* The connection of `hatchery run`. It waits for a server that is still starting. Once made, it is never made again. */
#pragma once

#include "client/async.h"
#include "client/options.h"
#include "client/program.h"

struct way {
        struct hatchery_client *client; /* NULL: there is none */
        bool is_lost;
        struct err why;
};

/* Connects to the server that o names. Tries again until o->wait_us have passed. The caller releases w by way_close in
 * every case, and does not move it until then. */
int way_open(struct way *w, const struct options *o, struct err *e);

/* Idempotent. The server cancels what this connection has in flight. */
void way_close(struct way *w);

/* The server's status. -ETIMEDOUT: it does not answer. The caller releases a in every case. */
int way_ask_status(struct way *w, const struct options *o, struct hatchery_answer *a, struct err *e);

/* Turns the failure of a call into an error. */
int way_failure(const struct hatchery_failure *f, struct err *e);
