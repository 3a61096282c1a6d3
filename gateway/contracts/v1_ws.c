/* GET /v1/ws: one run over a WebSocket, both ways. The first message is the submission, as the body of POST /v1/run.
 * Later text messages are objects with stdin, stdin_base64, eof, signal, resize or cancel; binary messages are input.
 * Each message to the client is an event. See docs/http.md.
 *
 * Input that the program has no room for stays in `pending`, and the socket is held until the room comes. Output waits
 * for the socket in the same way (run_socket_drained). So each side slows down its own run only. */
#include "client/characters.h"
#include "gateway/contracts/v1_fields.h"
#include "gateway/contracts/v1_parts.h"
#include "gateway/websocket.h"
#include "gateway/worker.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
        TICK_SECONDS = 10, /* from ping to ping; also how long the submission may take to come */
        CLOSE_NORMAL = 1000,
        CLOSE_POLICY = 1008,
        CLOSE_FAULT = 1011,
        CLOSE_LATER = 1013,
};

struct live {
        struct gateway *gateway; /* for live_free, which may come after the exchange's end */
        struct exchange *x;
        struct websocket *ws; /* NULL: it has closed */
        struct run *run;      /* NULL: not begun, or ended */
        struct event *timer;
        struct evbuffer *pending;
        size_t held; /* bytes of pending that the worker counts */
        bool has_begun;
        bool is_live;   /* the submission has live_stdin */
        bool wants_eof; /* after pending */
        uint64_t deadline_us;
        char run_id[WIRE_MAX_RUN_ID + 1];
        struct hatchery_characters characters[2];
};

static void live_free(struct live *l)
{
        gateway_hold(l->gateway, -(int64_t)l->held);
        if (l->timer)
                event_free(l->timer);
        if (l->pending)
                evbuffer_free(l->pending);
        free(l);
}

static void send_event(struct live *l, const char *event, json_t *object)
{
        char *text = v1_event_text(event, object);

        if (!l->ws) {
                free(text);
                return;
        }
        if (!text || websocket_send(l->ws, true, text, strlen(text)) == -ENOMEM)
                websocket_close(l->ws, CLOSE_FAULT, "the server is out of memory");
        free(text);
}

static void close_after_failure(struct live *l, const struct failure *why)
{
        send_event(l, "error", v1_error_json(why));
        websocket_close(l->ws, why->retry_after_ms > 0 ? CLOSE_LATER : CLOSE_POLICY, why->code);
}

/* ---------------------------------------------------------------- input */

/* Says how much of the worker's memory the waiting input takes. */
static void count_held(struct live *l)
{
        const size_t now = evbuffer_get_length(l->pending);

        gateway_hold(l->gateway, (int64_t)now - (int64_t)l->held);
        l->held = now;
}

static void feed(struct live *l)
{
        while (l->run && evbuffer_get_length(l->pending) > 0) {
                const size_t len = evbuffer_get_contiguous_space(l->pending);
                const uint8_t *bytes = evbuffer_pullup(l->pending, (ssize_t)len);
                const ssize_t n = run_write(l->run, bytes, len);
                if (n == 0)
                        break;
                /* A program that takes no more input does not need the rest. */
                evbuffer_drain(l->pending, n > 0 ? (size_t)n : evbuffer_get_length(l->pending));
        }
        count_held(l);
        const bool is_full = evbuffer_get_length(l->pending) > 0;
        if (l->run && l->wants_eof && !is_full) {
                l->wants_eof = false;
                run_eof(l->run);
        }
        if (l->ws)
                websocket_hold(l->ws, is_full);
}

static int take_input(struct live *l, struct span bytes, struct failure *why)
{
        if (!l->is_live) {
                failure_set(why, 400, "INVALID_ARGUMENT",
                            "the run takes no input; send its submission with live_stdin");
                return -1;
        }
        if (evbuffer_add(l->pending, bytes.data, bytes.len) < 0) {
                v1_lacks_memory(why);
                return -1;
        }
        feed(l);
        return 0;
}

/* ---------------------------------------------------------------- messages */

struct command {
        struct span input;
        bool has_input;
        bool eof;
        bool cancel;
        uint32_t signal;
        bool has_size;
        struct terminal_size size;
};

static uint32_t signal_by_name(const char *name)
{
        static const int numbers[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGKILL, SIGUSR1,
                                       SIGUSR2, SIGTERM, SIGCONT, SIGSTOP, SIGWINCH };

        if (strncmp(name, "SIG", 3) == 0)
                name += 3;
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
                if (strcmp(sigabbrev_np(numbers[i]), name) == 0)
                        return (uint32_t)numbers[i];
        return 0;
}

static int read_signal(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f,
                       void *target)
{
        struct command *c = target;
        const char *name = json_string_value(value);

        (void)f;
        if (!name)
                return v1_refuse_type(r, at, "a signal's name", value);
        c->signal = signal_by_name(name);
        return c->signal ? 0
                         : v1_refuse(r, at,
                                     "HUP, INT, QUIT, KILL, USR1, USR2, TERM, CONT, STOP or WINCH is needed, with or "
                                     "without SIG");
}

static int read_resize(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f,
                       void *target)
{
        static const struct v1_field fields[] = {
                { .name = "rows",
                  .read = v1_number,
                  .offset = offsetof(struct terminal_size, rows),
                  .most = TERMINAL_MAX,
                  .width = sizeof(uint32_t) },
                { .name = "columns",
                  .read = v1_number,
                  .offset = offsetof(struct terminal_size, columns),
                  .most = TERMINAL_MAX,
                  .width = sizeof(uint32_t) },
        };
        struct command *c = target;

        (void)f;
        c->has_size = true;
        if (v1_object(r, at, value, fields, sizeof fields / sizeof *fields, &c->size) < 0)
                return -1;
        return c->size.rows && c->size.columns ? 0 : v1_refuse(r, at, "rows and columns are needed, from 1 on");
}

static const struct v1_field command_fields[] = {
        { .name = "stdin",
          .read = v1_bytes,
          .offset = offsetof(struct command, input),
          .has = offsetof(struct command, has_input) },
        { .name = "stdin_base64",
          .read = v1_base64,
          .offset = offsetof(struct command, input),
          .has = offsetof(struct command, has_input) },
        { .name = "eof", .read = v1_bool, .offset = offsetof(struct command, eof) },
        { .name = "signal", .read = read_signal },
        { .name = "resize", .read = read_resize },
        { .name = "cancel", .read = v1_bool, .offset = offsetof(struct command, cancel) },
};

static int obey(struct live *l, const struct command *c, struct failure *why)
{
        const struct span nothing = span_of_text("");

        if (c->has_input && take_input(l, c->input, why) < 0)
                return -1;
        if (c->eof && take_input(l, nothing, why) < 0)
                return -1;
        if (c->eof) {
                l->wants_eof = true;
                feed(l);
        }
        if (c->has_size && run_set_size(l->run, c->size.rows, c->size.columns) == -EINVAL) {
                failure_set(why, 400, "INVALID_ARGUMENT", "resize: the run has no terminal");
                return -1;
        }
        if (c->signal && run_send_signal(l->run, c->signal) != 0) {
                failure_set(why, 429, "RESOURCE_EXHAUSTED", "signal: too many signals are under way; wait a moment");
                return -1;
        }
        if (c->cancel)
                run_cancel(l->run);
        return 0;
}

/* A fault of a message is reported by an event, and the run goes on. */
static void take_command(struct live *l, struct span text)
{
        struct v1_request owner = { 0 };
        struct failure why;
        struct v1_reader reader = { .owner = &owner, .why = &why };
        const struct v1_place top = { 0 };
        struct command c = { 0 };
        struct json_fault fault;

        owner.body = json_read(text, &fault);
        if (!owner.body) {
                failure_set(&why, 400, "INVALID_ARGUMENT", "the message can't be read: %s", fault.text);
                send_event(l, "refused", v1_error_json(&why));
        } else if (v1_object(&reader, &top, owner.body, command_fields, sizeof command_fields / sizeof *command_fields,
                             &c) < 0 ||
                   obey(l, &c, &why) < 0) {
                send_event(l, "refused", v1_error_json(&why));
        }
        v1_request_fini(&owner);
}

/* ---------------------------------------------------------------- the run */

static void on_stage(void *data, hatchery_v1_Stage_Kind kind, uint64_t at_us)
{
        struct live *l = data;
        send_event(l, "stage", v1_stage_json(kind, at_us, l->run_id));
}

static void send_output(struct live *l, hatchery_v1_Output_Stream stream, const struct span *bytes, uint64_t at_us)
{
        char *text = NULL;
        uint64_t offset = 0;
        const size_t which = stream == hatchery_v1_Output_Stream_STDERR;
        const ssize_t n = v1_whole(&l->characters[which], bytes, &text, &offset);

        if (n > 0)
                send_event(l, "output",
                           v1_output_json(stream, (struct span){ (const uint8_t *)text, (size_t)n }, offset, at_us));
        else if (n < 0 && l->ws)
                websocket_close(l->ws, CLOSE_FAULT, "the server is out of memory");
        free(text);
}

static void on_output(void *data, const struct hatchery_output *output)
{
        send_output(data, output->stream, &output->bytes, output->at_us);
}

static void on_input_room(void *data, size_t room)
{
        (void)room;
        feed(data);
}

static void on_input_closed(void *data)
{
        struct live *l = data;
        send_event(l, "stdin_closed", json_object());
        feed(l);
}

static void on_signalled(void *data, bool sent)
{
        send_event(data, "signalled", json_pack("{s:b}", "sent", sent));
}

static void on_finished(void *data, struct hatchery_answer *a)
{
        struct live *l = data;
        const uint64_t at_us = a->answer.m.answer.result.wall_us;

        l->run = NULL;
        send_output(l, hatchery_v1_Output_Stream_STDOUT, NULL, at_us);
        send_output(l, hatchery_v1_Output_Stream_STDERR, NULL, at_us);
        send_event(l, "result", v1_result_json(a, l->run_id, l->deadline_us, true));
        if (l->ws)
                websocket_close(l->ws, CLOSE_NORMAL, NULL);
        else
                live_free(l);
}

static void on_failed(void *data, const struct failure *why)
{
        struct live *l = data;

        l->run = NULL;
        if (l->ws)
                close_after_failure(l, why);
        else
                live_free(l);
}

static void on_gone(void *data)
{
        live_free(data);
}

static const struct run_ops run_ops = {
        .stage = on_stage,
        .output = on_output,
        .input_room = on_input_room,
        .input_closed = on_input_closed,
        .signalled = on_signalled,
        .finished = on_finished,
        .failed = on_failed,
        .gone = on_gone,
};

static void begin(struct live *l, struct span text)
{
        struct v1_request q = { 0 };
        struct failure why;

        l->has_begun = true;
        if (v1_request_read(&q, text, true, &why) < 0) {
                close_after_failure(l, &why);
        } else {
                q.request.execute.stream = true;
                l->is_live = q.request.execute.live_input;
                l->deadline_us = q.request.execute.deadline_us;
                if (run_start(&l->run, l->x, &q.request, &run_ops, l, &why) < 0)
                        close_after_failure(l, &why);
                else
                        snprintf(l->run_id, sizeof l->run_id, "%s", run_id(l->run));
        }
        v1_request_fini(&q);
}

/* ---------------------------------------------------------------- the socket */

static void on_message(void *data, bool text, struct span bytes)
{
        struct live *l = data;
        struct failure why;

        if (!l->has_begun && text) {
                begin(l, bytes);
        } else if (!l->has_begun) {
                failure_set(&why, 400, "INVALID_ARGUMENT", "the first message is the submission, as JSON text");
                close_after_failure(l, &why);
        } else if (!l->run) {
                return; /* the run ended before the message came */
        } else if (text) {
                take_command(l, bytes);
        } else if (take_input(l, bytes, &why) < 0) {
                send_event(l, "refused", v1_error_json(&why));
        }
}

static void on_drained(void *data)
{
        struct live *l = data;
        if (l->run)
                run_socket_drained(l->run);
}

/* If a run is under way, its callback `gone` follows, and frees l. */
static void on_closed(void *data, uint16_t code)
{
        struct live *l = data;

        (void)code;
        l->ws = NULL;
        if (!l->run)
                live_free(l);
}

static const struct websocket_ops socket_ops = {
        .message = on_message,
        .drained = on_drained,
        .closed = on_closed,
};

static void on_timer(evutil_socket_t fd, short what, void *data)
{
        struct live *l = data;
        struct failure why;

        (void)fd;
        (void)what;
        if (!l->ws)
                return;
        if (l->has_begun) {
                websocket_ping(l->ws);
                return;
        }
        l->has_begun = true;
        failure_set(&why, 408, "DEADLINE_EXCEEDED", "no submission has come for %d s", TICK_SECONDS);
        close_after_failure(l, &why);
}

static struct live *live_new(struct exchange *x)
{
        const struct timeval pause = { .tv_sec = TICK_SECONDS };
        struct live *l = calloc(1, sizeof *l);

        if (!l)
                return NULL;
        l->gateway = exchange_gateway(x);
        l->x = x;
        l->pending = evbuffer_new();
        l->timer = event_new(runs_base(gateway_runs(l->gateway)), -1, EV_PERSIST, on_timer, l);
        if (l->pending && l->timer && event_add(l->timer, &pause) == 0)
                return l;
        live_free(l);
        return NULL;
}

void v1_ws(struct exchange *x)
{
        const size_t max_request = gateway_options(exchange_gateway(x))->max_request_bytes;
        struct live *l = live_new(x);
        struct failure why;

        if (!l) {
                v1_lacks_memory(&why);
                exchange_fail(x, &why);
                return;
        }
        if (websocket_accept(&l->ws, x, max_request / 3 * 4 + (1 << 20), &socket_ops, l, &why) < 0) {
                live_free(l);
                exchange_fail(x, &why);
        }
}
