/* One connection, and one short question on it: see way.h. */
#include "client/way.h"

#include "client/reach.h"
#include "proto/base/clock.h"

#include <errno.h>
#include <string.h>

enum { ANSWER_TIMEOUT_MS = 10000 };

static void when_disconnected(void *data, struct hatchery_client *c, const struct err *why, int64_t retry_ms)
{
        struct way *w = data;
        (void)c;
        (void)retry_ms;
        w->is_lost = true;
        w->why = *why;
}

static const struct hatchery_client_ops client_ops = { .disconnected = when_disconnected };

static int try_once(struct way *w, const struct options *o, struct err *e)
{
        const struct hatchery_client_config config = {
                .address = o->address,
                .compress = o->compress,
                .max_unsent = SIZE_MAX, /* all requests are in memory already */
                .once = true,
                .ops = &client_ops,
                .data = w,
        };
        *w = (struct way){ 0 };
        int r = hatchery_client_new(&w->client, &config, e);
        while (r >= 0 && !w->is_lost && !hatchery_client_is_connected(w->client)) {
                r = hatchery_client_wait(w->client, -1, e);
                r = r == -EINTR ? 0 : r;
        }
        if (r >= 0 && !w->is_lost)
                return 0;
        if (r >= 0)
                r = err_say(e, err_told(w->why.code), "%s", w->why.text);
        way_close(w);
        return r;
}

int way_open(struct way *w, const struct options *o, struct err *e)
{
        const int64_t now = clock_us(), end = o->wait_us < INT64_MAX - now ? now + o->wait_us : INT64_MAX;
        int r;

        do
                r = try_once(w, o, e);
        while (r < 0 && r != -EINVAL && r != -ENOMEM && reach_pause(end));
        return r;
}

void way_close(struct way *w)
{
        hatchery_client_free(w->client);
        w->client = NULL;
}

int way_failure(const struct hatchery_failure *f, struct err *e)
{
        if (f->has_refusal)
                return err_say(e, ECONNREFUSED, "%s", f->refusal.message);
        return err_say(e, err_told(f->error.code), "%s", f->error.text);
}

struct question {
        bool is_over;
        int result;
        struct hatchery_answer *a;
        struct err *e;
};

static void when_answered(void *data, struct hatchery_call *call, struct hatchery_answer *a)
{
        struct question *q = data;
        (void)call;
        q->is_over = true;
        hatchery_answer_move(q->a, a);
}

static void when_failed(void *data, struct hatchery_call *call, const struct hatchery_failure *f)
{
        struct question *q = data;
        (void)call;
        q->is_over = true;
        q->result = way_failure(f, q->e);
}

int way_ask_status(struct way *w, const struct options *o, struct hatchery_answer *a, struct err *e)
{
        static const struct hatchery_call_ops ops = { .answered = when_answered, .failed = when_failed };
        const struct request request = { .kind = REQUEST_STATUS };
        const int64_t end = clock_ms() + ANSWER_TIMEOUT_MS;
        struct question q = { .a = a, .e = e };
        struct hatchery_call *call = NULL;

        *a = (struct hatchery_answer){ 0 };
        int r = hatchery_client_send(w->client, &request, NULL, &ops, &q, &call, e);
        while (r >= 0 && !q.is_over) {
                const int64_t left = end - clock_ms();
                if (left <= 0) {
                        r = err_say(e, ETIMEDOUT, "no answer from %s within %d s", hatchery_address(o->address),
                                    ANSWER_TIMEOUT_MS / 1000);
                        break;
                }
                r = hatchery_client_wait(w->client, (int)left, e);
                r = r == -EINTR ? 0 : r;
        }
        if (call && !q.is_over)
                hatchery_call_abandon(call);
        return r < 0 ? r : q.result;
}
