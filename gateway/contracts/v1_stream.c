/* POST /v1/run as a stream of events: SSE or lines of JSON. The status 200 is sent with the first event, or after ten
 * seconds. A refusal before that is an ordinary answer. In SSE a comment every ten seconds keeps proxies from closing
 * the connection. */
#include "client/characters.h"
#include "gateway/contracts/v1_parts.h"
#include "proto/wire/wire.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMENT_SECONDS = 10 };

struct stream {
        struct exchange *x;
        struct event *timer;
        enum v1_stream_kind kind;
        bool has_begun;
        bool is_lost; /* there was no memory for an event */
        uint64_t deadline_us;
        char run_id[WIRE_MAX_RUN_ID + 1];
        struct hatchery_characters characters[2]; /* by hatchery_v1_Output_Stream */
};

static void stream_free(struct stream *s)
{
        if (s->timer)
                event_free(s->timer);
        free(s);
}

static void begin(struct stream *s)
{
        if (s->has_begun)
                return;
        s->has_begun = true;
        exchange_set_header(s->x, "Cache-Control", "no-store");
        exchange_set_header(s->x, "X-Accel-Buffering", "no");
        exchange_set_header(s->x, "X-Run-Id", s->run_id);
        if (exchange_stream_begin(s->x, 200, s->kind == V1_SSE ? "text/event-stream" : "application/x-ndjson") < 0)
                s->is_lost = true;
}

static int write_text(struct stream *s, const char *text)
{
        return exchange_stream_write(s->x, text, strlen(text));
}

/* One write for each event, since each write is a chunk of HTTP. */
static int write_event(struct stream *s, const char *event, json_t *object)
{
        char *json = NULL, *text = NULL;

        if (s->kind == V1_NDJSON) {
                json = v1_event_text(event, object);
        } else {
                json = object ? json_dumps(object, JSON_COMPACT) : NULL;
                json_decref(object);
        }
        if (!json || (s->kind == V1_NDJSON ? asprintf(&text, "%s\n", json)
                                           : asprintf(&text, "event: %s\ndata: %s\n\n", event, json)) < 0)
                text = NULL;
        int r = text ? write_text(s, text) : -1;
        free(json);
        free(text);
        return r;
}

/* After a lost event nothing more is sent, not even the result. So the reader sees a stream without its last event. */
static void send_event(struct stream *s, const char *event, json_t *object)
{
        begin(s);
        if (s->is_lost)
                json_decref(object);
        else if (write_event(s, event, object) < 0)
                s->is_lost = true;
}

static void on_timer(evutil_socket_t fd, short what, void *data)
{
        struct stream *s = data;

        (void)fd;
        (void)what;
        begin(s);
        if (!s->is_lost && s->kind == V1_SSE && write_text(s, ":\n\n") < 0)
                s->is_lost = true;
}

/* ---------------------------------------------------------------- the run */

static void on_stage(void *data, hatchery_v1_Stage_Kind kind, uint64_t at_us)
{
        struct stream *s = data;
        send_event(s, "stage", v1_stage_json(kind, at_us, s->run_id));
}

static void send_output(struct stream *s, hatchery_v1_Output_Stream stream, const struct span *bytes, uint64_t at_us)
{
        char *text = NULL;
        uint64_t offset = 0;
        const size_t which = stream == hatchery_v1_Output_Stream_STDERR;
        const ssize_t n = v1_whole(&s->characters[which], bytes, &text, &offset);

        if (n < 0)
                s->is_lost = true;
        else if (n > 0)
                send_event(s, "output",
                           v1_output_json(stream, (struct span){ (const uint8_t *)text, (size_t)n }, offset, at_us));
        free(text);
}

static void on_output(void *data, const struct hatchery_output *output)
{
        send_output(data, output->stream, &output->bytes, output->at_us);
}

static void on_finished(void *data, struct hatchery_answer *a)
{
        struct stream *s = data;
        const uint64_t at_us = a->answer.m.answer.result.wall_us;

        send_output(s, hatchery_v1_Output_Stream_STDOUT, NULL, at_us);
        send_output(s, hatchery_v1_Output_Stream_STDERR, NULL, at_us);
        send_event(s, "result", v1_result_json(a, s->run_id, s->deadline_us, true));
        exchange_stream_end(s->x);
        stream_free(s);
}

static void on_failed(void *data, const struct failure *why)
{
        struct stream *s = data;

        if (s->has_begun) {
                send_event(s, "error", v1_error_json(why));
                exchange_stream_end(s->x);
        } else {
                exchange_fail(s->x, why);
        }
        stream_free(s);
}

static void on_gone(void *data)
{
        stream_free(data);
}

static const struct run_ops ops = {
        .stage = on_stage,
        .output = on_output,
        .finished = on_finished,
        .failed = on_failed,
        .gone = on_gone,
};

static struct stream *stream_new(struct exchange *x, enum v1_stream_kind kind)
{
        const struct timeval pause = { .tv_sec = COMMENT_SECONDS };
        struct stream *s = calloc(1, sizeof *s);

        if (!s)
                return NULL;
        s->x = x;
        s->kind = kind;
        s->timer = event_new(runs_base(gateway_runs(exchange_gateway(x))), -1, EV_PERSIST, on_timer, s);
        if (!s->timer || event_add(s->timer, &pause) < 0) {
                stream_free(s);
                return NULL;
        }
        return s;
}

void v1_stream(struct exchange *x, struct v1_request *q, enum v1_stream_kind kind)
{
        struct stream *s = stream_new(x, kind);
        struct run *run = NULL;
        struct failure why;

        if (!s) {
                v1_lacks_memory(&why);
                exchange_fail(x, &why);
                return;
        }
        s->deadline_us = q->request.execute.deadline_us;
        q->request.execute.stream = true;
        if (run_start(&run, x, &q->request, &ops, s, &why) < 0) {
                stream_free(s);
                exchange_fail(x, &why);
                return;
        }
        snprintf(s->run_id, sizeof s->run_id, "%s", run_id(run));
}
