/* Messages that wait for the socket, in the order in which they are sent. The queue outlives the connection. A request
 * that was not wholly written goes out again, from its beginning, on the next connection. */
#include "client/async_parts.h"
#include "client/outframe.h"
#include "proto/base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>

enum { STALE_US = 10000 }; /* a request that has waited longer gets its deadline written anew */

static void leave_call(struct outgoing *o)
{
        if (o->call)
                LIST_REMOVE(o, in_call);
        o->call = NULL;
}

static void discard(struct hatchery_client *c, struct outgoing *o)
{
        TAILQ_REMOVE(&c->queue, o, in_queue);
        leave_call(o);
        c->unsent -= o->len - o->done;
        free(o->frame);
        free(o);
}

int queue_put(struct hatchery_client *c, struct hatchery_call *call, bool opens, uint8_t *frame, size_t len,
              int64_t made_us)
{
        struct outgoing *o = calloc(1, sizeof *o);
        if (!o) {
                free(frame);
                return -ENOMEM;
        }
        *o = (struct outgoing){ .call = call, .opens = opens, .frame = frame, .len = len, .made_us = made_us };
        if (call)
                LIST_INSERT_HEAD(&call->waiting, o, in_call);
        TAILQ_INSERT_TAIL(&c->queue, o, in_queue);
        c->unsent += len;
        client_wake(c);
        return 0;
}

int queue_message(struct hatchery_client *c, struct hatchery_call *call, const struct request *q)
{
        uint8_t *frame = NULL;
        size_t len = 0;
        int r = outframe_encode(q, c->config.compress, &frame, &len, NULL);
        return r < 0 ? r : queue_put(c, call, false, frame, len, clock_us());
}

/* The server counts the deadline from the request's arrival, but the user counts from the sending. So this writes the
 * time that is left into the frame. If the frame can't be made anew, it goes as it is: the client's own deadline still
 * holds. */
static void refresh_deadline(struct hatchery_client *c, struct outgoing *o, int64_t now_us)
{
        const struct hatchery_call *call = o->call;
        if (!call || !o->opens || o->done > 0 || call->kind != REQUEST_EXECUTE || call->deadline_us == 0 ||
            now_us - o->made_us < STALE_US)
                return;
        int64_t left = call->deadline_us - now_us;
        size_t before = o->len;
        if (outframe_set_deadline(&o->frame, &o->len, c->config.compress, left > 0 ? (uint64_t)left : 1, NULL) < 0)
                return;
        o->made_us = now_us;
        c->unsent += o->len;
        c->unsent -= before;
}

size_t queue_gather(struct hatchery_client *c, struct iovec *parts, size_t max)
{
        const int64_t now_us = clock_us();
        struct outgoing *o;
        size_t n = 0;

        TAILQ_FOREACH(o, &c->queue, in_queue)
        {
                if (n == max)
                        break;
                refresh_deadline(c, o, now_us);
                parts[n++] = (struct iovec){ .iov_base = o->frame + o->done, .iov_len = o->len - o->done };
        }
        return n;
}

/* The kernel has taken the whole request. */
static void sent(struct outgoing *o)
{
        struct hatchery_call *call = o->call;

        if (!call || !o->opens)
                return;
        call->state = CALL_SENT;
        end_schedule(call);
        if (call->stream)
                stream_give_credit(call);
        if (call->retry == HATCHERY_RETRY_NEVER)
                return;
        call->kept = o->frame;
        call->kept_len = o->len;
        o->frame = NULL;
}

void queue_written(struct hatchery_client *c, size_t bytes)
{
        while (bytes > 0) {
                struct outgoing *o = TAILQ_FIRST(&c->queue);
                size_t n = o->len - o->done < bytes ? o->len - o->done : bytes;
                o->done += n;
                c->unsent -= n;
                bytes -= n;
                if (o->done < o->len)
                        return;
                sent(o);
                discard(c, o);
        }
}

bool queue_withdraw(struct hatchery_client *c, struct hatchery_call *call)
{
        struct outgoing *o;
        bool cut = false;

        while ((o = LIST_FIRST(&call->waiting))) {
                if (o->done == 0) {
                        discard(c, o);
                        continue;
                }
                cut |= o->opens;
                leave_call(o);
        }
        return cut;
}

void queue_cut(struct hatchery_client *c)
{
        for (struct outgoing *o = TAILQ_FIRST(&c->queue), *next; o; o = next) {
                next = TAILQ_NEXT(o, in_queue);
                if (!o->call || o->call->state != CALL_QUEUED) {
                        discard(c, o);
                        continue;
                }
                c->unsent += o->done;
                o->done = 0;
        }
}

void queue_fini(struct hatchery_client *c)
{
        struct outgoing *o;
        while ((o = TAILQ_FIRST(&c->queue)))
                discard(c, o);
}
