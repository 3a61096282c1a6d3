/* Connects to a server, perhaps one that is still starting, and asks short questions with a time limit. */
#pragma once

#include "client/hatchery.h"
#include "client/options.h"

/* Connects to the server that o names. If that fails, it tries again until o->wait_us have passed. */
int reach(struct hatchery **h, const struct options *o, struct err *e);

/* Asks a question that is answered at once. -ETIMEDOUT: no answer came. The answer may be an Error; the caller releases
 * it in every case. */
int reach_ask(struct hatchery *h, enum request_kind kind, const struct options *o, struct hatchery_answer *a,
              struct err *e);

/* Sleeps before the next try, up to end_us on the clock of proto/base/clock.h; false once the end has come.
 */
bool reach_pause(int64_t end_us);
