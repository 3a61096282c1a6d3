/* The way to the server: connecting, also to one that is not there yet, and short questions with a time limit. */
#pragma once

#include "client/hatchery.h"
#include "client/options.h"

/* Connects to the server that o names. While that can't be done, it is tried again until o->wait_us have passed. */
int reach(struct hatchery **h, const struct options *o, struct err *e);

/* Asks what is answered at once. -ETIMEDOUT: it is not. The answer may be an Error, and is the caller's to release in
 * every case. */
int reach_ask(struct hatchery *h, enum request_kind kind, const struct options *o, struct hatchery_answer *a,
              struct err *e);

/* Sleeps until it is worth to try again, up to end_us on the clock of proto/base/clock.h; false once the end has come.
 */
bool reach_pause(int64_t end_us);
