/* One run for one exchange: see run.h. A run lives from run_start to the end of its call, or to the end of its
 * exchange's connection, whichever comes first. */
#include "gateway/run_parts.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
        RANDOM_ID_BYTES = 16,
        UNSENT_LITTLE = 64 << 10, /* unsent bytes of the exchange above which output waits */
};

struct run {
        struct ask ask;
        struct exchange *x;
        const struct run_ops *ops;
        void *data;
        char id[WIRE_MAX_RUN_ID + 1];
        bool waits_for_socket; /* the callback drained will be called */
        bool in_callback;      /* the callback for output is running: on_output frees r, not run_gone */
        bool is_gone;
        bool is_cancelled; /* run_cancel was called */
};

/* ---------------------------------------------------------------- ends */

static void run_drop(struct ask *a)
{
        free((char *)a - offsetof(struct run, ask));
}

/* Separates the exchange from the run: the handler answers the exchange afterwards. */
static void part(struct run *r)
{
        ask_leave(&r->ask);
        exchange_on_gone(r->x, NULL, NULL);
        if (r->waits_for_socket)
                exchange_on_drained(r->x, NULL, NULL);
}

static void run_gone(void *data)
{
        struct run *r = data;
        struct hatchery_call *call = r->ask.call;

        ask_leave(&r->ask);
        hatchery_call_abandon(call);
        if (r->ops->gone)
                r->ops->gone(r->data);
        r->is_gone = true;
        if (!r->in_callback)
                free(r);
}

static void fail(struct run *r, const struct failure *why)
{
        part(r);
        r->ops->failed(r->data, why);
        free(r);
}

static void on_answered(void *data, struct hatchery_call *call, struct hatchery_answer *a)
{
        struct run *r = data;
        struct hatchery_refusal refusal;
        struct failure why;

        (void)call;
        if (a->answer.m.which_answer == hatchery_v1_ServerMessage_result_tag) {
                part(r);
                r->ops->finished(r->data, a);
                free(r);
                return;
        }
        if (hatchery_refusal_of(a, &refusal))
                failure_of_refusal(&why, &refusal);
        else
                failure_of_oddity(&why);
        fail(r, &why);
}

static void on_failed(void *data, struct hatchery_call *call, const struct hatchery_failure *f)
{
        struct run *r = data;
        struct failure why;

        (void)call;
        if (f->kind == HATCHERY_WITHDRAWN && r->is_cancelled)
                failure_set(&why, 499, "CANCELLED", "the run was cancelled before it began");
        else
                failure_of_loss(&why, f);
        fail(r, &why);
}

/* ---------------------------------------------------------------- on the way */

static void on_stage(void *data, struct hatchery_call *call, hatchery_v1_Stage_Kind kind, uint64_t at_us)
{
        struct run *r = data;
        (void)call;
        if (r->ops->stage)
                r->ops->stage(r->data, kind, at_us);
}

static void drained(void *data)
{
        struct run *r = data;

        r->waits_for_socket = false;
        exchange_on_drained(r->x, NULL, NULL);
        hatchery_call_consumed(r->ask.call, hatchery_call_unconsumed(r->ask.call));
}

/* Grants the program new credit: at once if the peer reads fast enough, else when the socket has drained. */
static void settle(struct run *r)
{
        if (exchange_unsent(r->x) <= UNSENT_LITTLE) {
                hatchery_call_consumed(r->ask.call, hatchery_call_unconsumed(r->ask.call));
        } else if (!r->waits_for_socket) {
                r->waits_for_socket = true;
                exchange_on_drained(r->x, drained, r);
        }
}

static void on_output(void *data, struct hatchery_call *call, const struct hatchery_output *output)
{
        struct run *r = data;

        (void)call;
        r->in_callback = true;
        if (r->ops->output)
                r->ops->output(r->data, output);
        r->in_callback = false;
        if (r->is_gone)
                free(r);
        else
                settle(r);
}

static void on_input_room(void *data, struct hatchery_call *call, size_t room)
{
        struct run *r = data;
        (void)call;
        if (r->ops->input_room)
                r->ops->input_room(r->data, room);
}

static void on_input_closed(void *data, struct hatchery_call *call)
{
        struct run *r = data;
        (void)call;
        if (r->ops->input_closed)
                r->ops->input_closed(r->data);
}

static void on_signalled(void *data, struct hatchery_call *call, bool sent, const struct hatchery_refusal *refusal)
{
        struct run *r = data;
        (void)call;
        (void)refusal;
        if (r->ops->signalled)
                r->ops->signalled(r->data, sent);
}

static const struct hatchery_call_ops call_ops = {
        .stage = on_stage,
        .output = on_output,
        .input_room = on_input_room,
        .input_closed = on_input_closed,
        .signalled = on_signalled,
        .answered = on_answered,
        .failed = on_failed,
};

/* ---------------------------------------------------------------- the beginning */

static int choose_id(struct run *r, struct failure *why)
{
        uint8_t bytes[RANDOM_ID_BYTES];

        if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
                failure_set(why, 500, "INTERNAL", "there is no random number for the run's id");
                return -EIO;
        }
        for (size_t i = 0; i < sizeof bytes; i++)
                snprintf(r->id + 2 * i, 3, "%02x", bytes[i]);
        return 0;
}

static bool is_of_id(uint8_t c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* Contracts put the id into headers, so its form is checked here, before the pool checks it. */
static int take_id(struct run *r, const struct submission *s, struct failure *why)
{
        bool is_good = s->run_id.len <= WIRE_MAX_RUN_ID;

        if (s->run_id.len == 0)
                return choose_id(r, why);
        for (size_t i = 0; is_good && i < s->run_id.len; i++)
                is_good = is_of_id(s->run_id.data[i]);
        if (!is_good) {
                failure_set(why, 400, "INVALID_ARGUMENT",
                            "run_id may have 1 to %d characters of A to Z, a to z, 0 to 9, _ and -", WIRE_MAX_RUN_ID);
                return -EINVAL;
        }
        memcpy(r->id, s->run_id.data, s->run_id.len);
        return 0;
}

/* Checks the size here, because the pool would close the connection after a message that is too long. The connection
 * also carries other callers' runs. */
static int check_size(const struct runs *all, const struct request *q, size_t *size, struct failure *why)
{
        struct err e = { 0 };
        uint8_t *message = NULL;

        *size = request_weight(q);
        if (*size <= all->max_request_bytes)
                return 0;
        int r = request_encode(q, 0, &message, size, &e);
        free(message);
        if (r < 0 && r != -EMSGSIZE) {
                failure_set(why, r == -ENOMEM ? 503 : 400, r == -ENOMEM ? "RESOURCE_EXHAUSTED" : "INVALID_ARGUMENT",
                            "%s", e.text);
                return r;
        }
        if (r == 0 && *size <= all->max_request_bytes)
                return 0;
        failure_set(
                why, 413, "RESOURCE_EXHAUSTED",
                "the request has %zu bytes, and %u are possible here; send less, or let the server's operator raise "
                "max_request_bytes",
                *size, all->max_request_bytes);
        return -EMSGSIZE;
}

static int start(struct run *r, struct request *q, struct failure *why)
{
        const struct hatchery_call_options options = { .manual_credit = true };
        struct runs *all = gateway_runs(exchange_gateway(r->x));
        size_t size = 0;

        int result = take_id(r, &q->execute, why);
        if (result < 0)
                return result;
        q->kind = REQUEST_EXECUTE;
        q->execute.run_id = span_of_text(r->id);
        q->has_on_behalf = true;
        q->on_behalf = (struct on_behalf){ exchange_peer(r->x), span_of_text(exchange_trace(r->x)) };
        result = check_size(all, q, &size, why);
        if (result < 0)
                return result;
        struct line *line = line_for(all, size, why);
        return line ? line_send(line, &r->ask, q, &options, &call_ops, r, why) : -ENOTCONN;
}

int run_start(struct run **out, struct exchange *x, struct request *q, const struct run_ops *ops, void *data,
              struct failure *why)
{
        const struct span wanted_id = q->execute.run_id;
        struct run *r = calloc(1, sizeof *r);

        if (!r) {
                failure_set(why, 503, "RESOURCE_EXHAUSTED",
                            "this server has no memory for the run; send it again later");
                why->retry_after_ms = RUN_RETRY_MS;
                return -ENOMEM;
        }
        r->ask.drop = run_drop;
        r->x = x;
        r->ops = ops;
        r->data = data;
        int result = start(r, q, why);
        q->execute.run_id = wanted_id; /* the id in r is freed with r */
        if (result < 0) {
                free(r);
                return result;
        }
        exchange_on_gone(x, run_gone, r);
        *out = r;
        return 0;
}

const char *run_id(const struct run *r)
{
        return r->id;
}

/* ---------------------------------------------------------------- meanwhile */

void run_cancel(struct run *r)
{
        r->is_cancelled = true;
        hatchery_call_cancel(r->ask.call);
}

ssize_t run_write(struct run *r, const void *bytes, size_t len)
{
        return hatchery_call_write(r->ask.call, bytes, len);
}

size_t run_room(const struct run *r)
{
        return hatchery_call_room(r->ask.call);
}

int run_eof(struct run *r)
{
        return hatchery_call_eof(r->ask.call);
}

int run_send_signal(struct run *r, uint32_t number)
{
        return hatchery_call_signal(r->ask.call, number);
}

int run_set_size(struct run *r, uint32_t rows, uint32_t columns)
{
        return hatchery_call_resize(r->ask.call, rows, columns);
}

void run_socket_drained(struct run *r)
{
        if (r->waits_for_socket)
                drained(r);
}

uint64_t run_unconsumed(const struct run *r)
{
        return hatchery_call_unconsumed(r->ask.call);
}
