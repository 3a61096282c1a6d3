/* GET /connect: one run over a WebSocket. Messages of the client become input and signals of the run, and its stages
 * and output become messages; each mistake has a close code of its own. */
#include "gateway/contracts/piston_parts.h"
#include "gateway/json.h"
#include "gateway/run.h"
#include "gateway/websocket.h"
#include "gateway/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
        CLOSE_INITIALIZED = 4000,
        CLOSE_NO_INIT = 4001,
        CLOSE_ERROR = 4002,
        CLOSE_NOT_INITIALIZED = 4003,
        CLOSE_NOT_STDIN = 4004,
        CLOSE_SIGNAL = 4005,
        CLOSE_DONE = 4999,

        INIT_S = 1,
        MUCH_INPUT = 64 << 10,  /* bytes of waiting input above which the client has to wait, too */
        MESSAGE_MORE = 1 << 20, /* bytes of a message beside the request's contents */
};

enum state {
        WAITING, /* for the message init */
        ASKING,  /* for the pool's status; init is there */
        RUNNING,
        OVER, /* closed by us: only the ends of socket and run are awaited */
};

struct session {
        struct exchange *x;
        struct gateway *gateway;
        struct websocket *ws; /* NULL: it has closed */
        struct run *run;      /* NULL: there is none */
        struct event *timer;
        enum state state;
        json_t *init;
        char language[32]; /* Piston's name */
        bool is_compiled, said_compile, said_run;
        struct hatchery_characters out, err;
        struct evbuffer *input; /* that the run has not taken */
        size_t counted;         /* bytes of input, as the worker has counted them */
        bool input_ends;
};

/* Frees the session when neither socket nor run will call again. */
static void release(struct session *s)
{
        if (s->ws || s->run)
                return;
        if (s->timer)
                event_free(s->timer);
        if (s->input)
                evbuffer_free(s->input);
        gateway_hold(s->gateway, -(int64_t)s->counted);
        json_decref(s->init);
        free(s);
}

/* ---------------------------------------------------------------- to the client */

/* Ends the session from this side. The first reason counts. */
static void close_session(struct session *s, uint16_t code, const char *reason)
{
        if (s->state == OVER)
                return;
        s->state = OVER;
        if (s->run)
                run_cancel(s->run);
        if (s->ws)
                websocket_close(s->ws, code, reason);
}

/* Sends a message; json is a reference that is taken over, NULL: no memory for it. */
static void say(struct session *s, json_t *json)
{
        char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

        json_decref(json);
        if (s->state == OVER || !s->ws) {
                free(text);
                return;
        }
        if (!text || websocket_send(s->ws, true, text, strlen(text)) < 0)
                close_session(s, CLOSE_ERROR, "The server has no memory for a message");
        free(text);
}

/* The close frame has no room for a long sentence, so the sentence comes first. */
static void say_error(struct session *s, const char *message)
{
        say(s, json_pack("{s:s, s:s}", "type", "error", "message", message));
        close_session(s, CLOSE_ERROR, "Notified Error");
}

static void say_data(struct session *s, hatchery_v1_Output_Stream stream, const char *text, size_t len)
{
        const char *name = stream == hatchery_v1_Output_Stream_STDERR ? "stderr" : "stdout";

        if (len > 0)
                say(s, json_pack("{s:s, s:s, s:o}", "type", "data", "stream", name, "data",
                                 json_stringn_nocheck(text, len)));
}

static void say_stage(struct session *s, const char *stage)
{
        say(s, json_pack("{s:s, s:s}", "type", "stage", "stage", stage));
}

static void say_exit(struct session *s, const char *stage, const struct piston_end *end)
{
        say(s, json_pack("{s:s, s:s, s:o, s:o}", "type", "exit", "stage", stage, "code",
                         end->code >= 0 ? json_integer(end->code) : json_null(), "signal",
                         *end->signal ? json_string(end->signal) : json_null()));
}

/* ---------------------------------------------------------------- the run */

static void say_compile(struct session *s)
{
        if (!s->said_compile)
                say_stage(s, "compile");
        s->said_compile = true;
}

/* A stage comes again if its sandbox was lost before it had the program; the client need not know. */
static void run_stage(void *data, hatchery_v1_Stage_Kind kind, uint64_t at_us)
{
        static const struct piston_end compiled = { .code = 0 };
        struct session *s = data;

        (void)at_us;
        if (kind == hatchery_v1_Stage_Kind_COMPILE)
                say_compile(s);
        if (kind != hatchery_v1_Stage_Kind_RUN || s->said_run)
                return;
        if (s->is_compiled) {
                say_compile(s);
                say_exit(s, "compile", &compiled);
        }
        s->said_run = true;
        say_stage(s, "run");
}

static void say_bytes(struct session *s, struct hatchery_characters *c, hatchery_v1_Output_Stream stream,
                      struct span bytes)
{
        char *text = malloc(hatchery_characters_room(bytes.len));

        if (!text) {
                close_session(s, CLOSE_ERROR, "The server has no memory for a message");
                return;
        }
        say_data(s, stream, text, hatchery_characters_feed(c, bytes.data, bytes.len, text, NULL));
        free(text);
}

static void run_output(void *data, const struct hatchery_output *output)
{
        struct session *s = data;
        const bool is_err = output->stream == hatchery_v1_Output_Stream_STDERR;

        say_bytes(s, is_err ? &s->err : &s->out, output->stream, output->bytes);
}

/* Gives the run as much of the waiting input as the run takes. */
static void write_input(struct session *s)
{
        size_t len;

        while ((len = evbuffer_get_contiguous_space(s->input)) > 0) {
                const ssize_t n = run_write(s->run, evbuffer_pullup(s->input, (ssize_t)len), len);
                if (n == -EPIPE) /* the program takes no more */
                        evbuffer_drain(s->input, evbuffer_get_length(s->input));
                if (n <= 0)
                        return;
                evbuffer_drain(s->input, (size_t)n);
        }
        if (s->input_ends)
                run_eof(s->run);
}

/* Gives waiting input to the run. The client has to wait while more than MUCH_INPUT is left. */
static void feed(struct session *s)
{
        if (s->run)
                write_input(s);
        const size_t left = evbuffer_get_length(s->input);
        gateway_hold(s->gateway, (int64_t)left - (int64_t)s->counted);
        s->counted = left;
        if (s->ws && s->state != OVER)
                websocket_hold(s->ws, left > MUCH_INPUT);
}

static void run_input_room(void *data, size_t room)
{
        (void)room;
        feed(data);
}

static void end_characters(struct session *s, struct hatchery_characters *c, hatchery_v1_Output_Stream stream,
                           bool is_cut)
{
        char text[16];

        if (!is_cut)
                say_data(s, stream, text, hatchery_characters_end(c, text, NULL));
}

static void end_compile(struct session *s, const struct hatchery_answer *a)
{
        const hatchery_v1_Result *result = &a->answer.m.answer.result;
        struct piston_end end;

        say_compile(s);
        say_bytes(s, &s->out, hatchery_v1_Output_Stream_STDOUT, a->answer.compile_out);
        end_characters(s, &s->out, hatchery_v1_Output_Stream_STDOUT, result->compile.stdout_truncated);
        say_bytes(s, &s->err, hatchery_v1_Output_Stream_STDERR, a->answer.compile_err);
        end_characters(s, &s->err, hatchery_v1_Output_Stream_STDERR, result->compile.stderr_truncated);
        piston_compile_end(&end, result);
        say_exit(s, "compile", &end);
}

static void end_run(struct session *s, const hatchery_v1_Result *result)
{
        struct piston_end end;

        end_characters(s, &s->out, hatchery_v1_Output_Stream_STDOUT, result->stdout_truncated);
        end_characters(s, &s->err, hatchery_v1_Output_Stream_STDERR, result->stderr_truncated);
        piston_run_end(&end, result);
        say_exit(s, "run", &end);
}

static void run_finished(void *data, struct hatchery_answer *a)
{
        struct session *s = data;
        const hatchery_v1_Result *result = &a->answer.m.answer.result;

        s->run = NULL;
        if (result->has_compile && result->status == hatchery_v1_Result_Status_COMPILE_ERROR)
                end_compile(s, a);
        else
                end_run(s, result);
        close_session(s, CLOSE_DONE, "Job Completed");
        release(s);
}

static void run_failed(void *data, const struct failure *why)
{
        struct session *s = data;

        s->run = NULL;
        say_error(s, why->message);
        release(s);
}

static void run_gone(void *data)
{
        struct session *s = data;

        s->run = NULL;
        release(s);
}

static const struct run_ops run_ops = {
        .stage = run_stage,
        .output = run_output,
        .input_room = run_input_room,
        .finished = run_finished,
        .failed = run_failed,
        .gone = run_gone,
};

/* ---------------------------------------------------------------- from the client */

static int start(struct session *s, const struct hatchery_answer *status, struct failure *why)
{
        struct piston_job j = { 0 };
        int r = piston_job_read(&j, s->init, status, true, why);

        if (r == 0) {
                snprintf(s->language, sizeof s->language, "%s", j.runtime.name);
                s->is_compiled = j.is_compiled;
                r = run_start(&s->run, s->x, &j.request, &run_ops, s, why);
        }
        if (r == 0) {
                s->state = RUNNING;
                say(s, json_pack("{s:s, s:s, s:s}", "type", "runtime", "language", s->language, "version",
                                 j.runtime.version));
        }
        piston_job_fini(&j);
        return r;
}

static void with_status(struct exchange *x, void *data, const struct hatchery_answer *status, const struct failure *why)
{
        struct session *s = data;
        struct failure ours;

        (void)x;
        if (s->state != ASKING)
                return;
        if (!status) {
                say_error(s, why->message);
                return;
        }
        if (start(s, status, &ours) < 0)
                say_error(s, ours.message);
        else
                feed(s);
        json_decref(s->init);
        s->init = NULL;
}

static void take_init(struct session *s, json_t *message)
{
        if (s->state != WAITING) {
                close_session(s, CLOSE_INITIALIZED, "Already Initialized");
                return;
        }
        s->state = ASKING;
        s->init = json_incref(message);
        run_with_status(s->x, with_status, s);
}

static void take_data(struct session *s, const json_t *message)
{
        const char *stream = json_string_value(json_object_get(message, "stream"));
        const json_t *data = json_object_get(message, "data");

        if (!stream || strcmp(stream, "stdin") != 0) {
                close_session(s, CLOSE_NOT_STDIN, "Can only write to stdin");
                return;
        }
        if (!json_is_string(data)) {
                say_error(s, "data is required as a string");
                return;
        }
        const struct span text = json_span(data);
        if (s->input_ends)
                return;
        if (evbuffer_add(s->input, text.data, text.len) < 0)
                say_error(s, "the server has no memory for this input at present");
        else
                feed(s);
}

static void take_signal(struct session *s, const json_t *message)
{
        const char *name = json_string_value(json_object_get(message, "signal"));
        const uint32_t number = name ? piston_signal_number(name) : 0;

        if (number == 0)
                close_session(s, CLOSE_SIGNAL, "Invalid signal");
        else if (s->run)
                run_send_signal(s->run, number);
}

static void take(struct session *s, json_t *message)
{
        const char *type = json_string_value(json_object_get(message, "type"));

        if (!type)
                return;
        if (strcmp(type, "init") == 0) {
                take_init(s, message);
                return;
        }
        const bool is_data = strcmp(type, "data") == 0, is_signal = strcmp(type, "signal") == 0;
        if (!is_data && !is_signal && strcmp(type, "eof") != 0)
                return; /* as Piston does */
        if (s->state == WAITING) {
                close_session(s, CLOSE_NOT_INITIALIZED, "Not yet initialized");
        } else if (is_data) {
                take_data(s, message);
        } else if (is_signal) {
                take_signal(s, message);
        } else {
                s->input_ends = true;
                feed(s);
        }
}

static void socket_message(void *data, bool text, struct span bytes)
{
        struct session *s = data;
        struct json_fault fault;

        (void)text; /* Piston reads a message in bytes as text, too */
        if (s->state == OVER)
                return;
        json_t *message = json_read(bytes, &fault);
        if (!message)
                say_error(s, fault.text);
        else if (!json_is_object(message))
                say_error(s, "a message must be an object");
        else
                take(s, message);
        json_decref(message);
}

/* If there is a run, its callback `gone` follows. */
static void socket_closed(void *data, uint16_t code)
{
        struct session *s = data;

        (void)code;
        s->ws = NULL;
        s->state = OVER;
        release(s);
}

static void socket_drained(void *data)
{
        struct session *s = data;

        if (s->run)
                run_socket_drained(s->run);
}

static const struct websocket_ops socket_ops = {
        .message = socket_message,
        .drained = socket_drained,
        .closed = socket_closed,
};

static void timer_fired(evutil_socket_t fd, short what, void *data)
{
        struct session *s = data;

        (void)fd;
        (void)what;
        if (s->state == WAITING)
                close_session(s, CLOSE_NO_INIT, "Initialization Timeout");
}

/* The same bound as for a body over HTTP. */
static size_t max_message(const struct gateway *g)
{
        return (size_t)gateway_options(g)->max_request_bytes / 3 * 4 + MESSAGE_MORE;
}

static struct session *session_new(struct exchange *x)
{
        struct session *s = calloc(1, sizeof *s);

        if (!s)
                return NULL;
        s->x = x;
        s->gateway = exchange_gateway(x);
        s->out.replace = s->err.replace = true;
        s->input = evbuffer_new();
        s->timer = evtimer_new(gateway_base(s->gateway), timer_fired, s);
        if (s->input && s->timer)
                return s;
        release(s);
        return NULL;
}

void piston_connect(struct exchange *x)
{
        static const struct timeval patience = { .tv_sec = INIT_S };
        struct session *s = session_new(x);
        struct failure why;

        if (!s) {
                failure_set(&why, 503, "RESOURCE_EXHAUSTED", "the server has no memory for this connection at present");
                exchange_fail(x, &why);
                return;
        }
        if (websocket_accept(&s->ws, x, max_message(s->gateway), &socket_ops, s, &why) < 0) {
                release(s);
                exchange_fail(x, &why);
                return;
        }
        evtimer_add(s->timer, &patience);
}
