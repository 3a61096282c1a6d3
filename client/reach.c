/* The way to the server: see reach.h. */
#include "client/reach.h"

#include "proto/base/clock.h"

#include <errno.h>
#include <time.h>

enum { ANSWER_TIMEOUT_MS = 10000, PAUSE_US = 50000 };

bool reach_pause(int64_t end_us)
{
        int64_t left = end_us - clock_us();
        if (left <= 0)
                return false;
        const struct timespec pause = { .tv_nsec = (left < PAUSE_US ? left : PAUSE_US) * 1000 };
        nanosleep(&pause, NULL);
        return true;
}

int reach(struct hatchery **h, const struct options *o, struct err *e)
{
        const int64_t now = clock_us(), end = o->wait_us < INT64_MAX - now ? now + o->wait_us : INT64_MAX;
        int r;

        do
                r = hatchery_connect(h, o->address, e);
        while (r < 0 && r != -EINVAL && r != -ENOMEM && reach_pause(end));
        return r;
}

int reach_ask(struct hatchery *h, enum request_kind kind, const struct options *o, struct hatchery_answer *a,
              struct err *e)
{
        const struct request request = { .id = 1, .kind = kind };

        *a = (struct hatchery_answer){ 0 };
        int r = hatchery_send(h, &request, e);
        if (r == HATCHERY_OK)
                r = hatchery_receive(h, a, ANSWER_TIMEOUT_MS, e);
        if (r == HATCHERY_TIMEOUT)
                r = err_say(e, ETIMEDOUT, "no answer from %s within %d s", hatchery_address(o->address),
                            ANSWER_TIMEOUT_MS / 1000);
        return r;
}
