/* The connection of `hatchery run`: made once, also to a server that is not there yet, and lost for good. */
#pragma once

#include "client/async.h"
#include "client/options.h"
#include "client/program.h"

struct way {
        struct hatchery_client *client; /* NULL: there is none */
        bool is_lost;
        struct err why;
};

/* Connects to the server that o names. While that can't be done, it is tried again until o->wait_us have passed. w is
 * to be released by way_close in every case, and stays where it is until then. */
int way_open(struct way *w, const struct options *o, struct err *e);

/* Idempotent. The server cancels what this connection has in flight. */
void way_close(struct way *w);

/* The server's status. -ETIMEDOUT: it does not answer. a is the caller's to release in every case. */
int way_ask_status(struct way *w, const struct options *o, struct hatchery_answer *a, struct err *e);

/* What a failed call has to say, as an error. */
int way_failure(const struct hatchery_failure *f, struct err *e);
