/* A front for tests: see front.h. */
#include "tests/unit/front.h"

#include "pool/base/loop.h"
#include "pool/native/connection.h"
#include "proto/base/clock.h"
#include "proto/base/peer.h"
#include "proto/wire/frame.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MIB = 1 << 20, PATIENCE_S = 60 };

/* ---------------------------------------------------------------- the fake core */

int core_execute(struct core *c, const struct caller *caller, struct submission *submission, struct payload *payload,
                 struct sink *sink, struct execution **out, struct refusal *refusal)
{
        c->caller = *caller;
        if (c->refusal.code) {
                *refusal = c->refusal;
                return REFUSED;
        }
        assert_true(c->begun < FRONT_MAX_EXECUTIONS);
        struct execution *x = &c->execution[c->begun++];
        *x = (struct execution){
                .core = c,
                .sink = sink,
                .payload = *payload,
                .input = submission->live_input ? 0 : -EINVAL,
        };
        free(submission->files);
        free(submission->args);
        free(submission->env);
        free(submission->globs);
        free(submission->compile_flags);
        free(submission->interpreter_args);
        *submission = (struct submission){ 0 };
        *payload = (struct payload){ 0 };
        *out = x;
        return 0;
}

static struct sink *end(struct execution *x)
{
        struct sink *sink = x->sink;

        assert_non_null(sink);
        free(x->payload.buffer);
        *x = (struct execution){ .core = x->core };
        return sink;
}

void execution_cancel(struct execution *x)
{
        struct refusal refusal;

        x->core->cancelled++;
        if (x->core->cancels_late)
                return;
        refuse(&refusal, REFUSAL_CANCELLED, "cancelled");
        struct sink *sink = end(x);
        sink->ops->refused(sink, &refusal);
}

void execution_abandon(struct execution *x)
{
        x->core->abandoned++;
        end(x);
}

int execution_input(struct execution *x, struct span bytes, bool end)
{
        if (x->input < 0)
                return x->input;
        if (bytes.len > sizeof x->core->input - (size_t)x->input)
                return -EAGAIN;
        if (bytes.len > 0)
                memcpy(x->core->input + x->input, bytes.data, bytes.len);
        x->input += (int)bytes.len;
        if (end)
                x->input = -EINVAL;
        return 0;
}

int execution_input_room(const struct execution *x)
{
        return x->input < 0 ? x->input : CORE_INPUT_ROOM - x->input;
}

void execution_resume(struct execution *x)
{
        x->core->resumed++;
        if (x->core->on_resume)
                x->core->on_resume(x);
}

int execution_signal(struct execution *x, int number)
{
        x->core->signal = number;
        return x->core->signal_returns;
}

int execution_resize(struct execution *x, const struct terminal_size *size)
{
        x->core->size = *size;
        return 0;
}

void core_facts(const struct core *c, struct core_facts *facts)
{
        ((struct core *)(uintptr_t)c)->looked++;
        *facts = (struct core_facts){ .n_languages = c->n_languages, .draining = c->draining, .refusals = c->refusals };
}

void core_refused(struct core *c, enum refusal_code code)
{
        c->refusals[code]++;
}

void core_language(const struct core *c, size_t i, struct language_facts *facts)
{
        *facts = c->languages[i];
}

size_t front_output(struct front *f, size_t i, enum stream which, struct span bytes, uint64_t offset)
{
        struct sink *sink = f->core.execution[i].sink;
        assert_non_null(sink->ops->output);
        return sink->ops->output(sink, which, bytes, offset, clock_us());
}

void front_stage(struct front *f, size_t i, enum stage stage)
{
        struct sink *sink = f->core.execution[i].sink;
        assert_non_null(sink->ops->stage);
        sink->ops->stage(sink, stage, clock_us());
}

void front_want_input(struct front *f, size_t i)
{
        struct sink *sink = f->core.execution[i].sink;
        sink->ops->input_wanted(sink);
}

void front_finish(struct front *f, size_t i, const struct outcome *o)
{
        struct sink *sink = end(&f->core.execution[i]);
        sink->ops->finished(sink, o);
}

void front_refuse(struct front *f, size_t i, enum refusal_code code, const char *sentence)
{
        struct refusal refusal;

        refuse(&refusal, code, "%s", sentence);
        struct sink *sink = end(&f->core.execution[i]);
        sink->ops->refused(sink, &refusal);
}

/* ---------------------------------------------------------------- the front */

static void on_progress(void *owner)
{
        struct front *f = owner;
        f->ended++;
}

struct front *front_new(void)
{
        struct front *f = calloc(1, sizeof *f);
        struct err e = { 0 };

        assert_non_null(f);
        alarm(PATIENCE_S); /* a test that waits for an answer in vain ends by a signal */
        f->log = (struct log){ .who = "test", .fd = open("/dev/null", O_WRONLY | O_CLOEXEC) };
        f->config = (struct config){
                .max_request_bytes = 16 * MIB,
                .max_answer_bytes = 64 * MIB,
                .max_unsent_bytes = 64 * MIB,
                .max_connections = 1000,
                .max_in_flight = 256,
                .caller_in_flight = 256,
                .frame_timeout_us = 600000000,
                .write_timeout_us = 600000000,
        };
        f->memory.max = 1 << 30;
        assert_int_equal(loop_new(&f->base, &e), 0);
        const struct native_options options = {
                .base = f->base,
                .log = &f->log,
                .config = &f->config,
                .memory = &f->memory,
                .core = &f->core,
                .progress = on_progress,
                .owner = f,
        };
        assert_int_equal(native_new(&f->native, &options, &e), 0);
        return f;
}

void front_free(struct front *f)
{
        native_free(f->native);
        assert_int_equal(f->memory.used, 0);
        for (size_t i = 0; i < f->core.begun; i++)
                assert_null(f->core.execution[i].sink);
        event_base_free(f->base);
        close(f->log.fd);
        free(f);
}

void front_round(struct front *f)
{
        assert_true(event_base_loop(f->base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
}

static int join(struct front *f, bool trusted)
{
        const struct peer peer = { .len = 2, .bytes = { 7, 8 } };
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
        connection_accept(f->native, pair[1], &peer, trusted);
        return pair[0];
}

int front_connect(struct front *f)
{
        return join(f, false);
}

int front_connect_gateway(struct front *f)
{
        return join(f, true);
}

/* ---------------------------------------------------------------- the client */

void front_say(int client, const struct request *r)
{
        struct err e = { 0 };
        uint8_t *frame;
        size_t len;

        assert_int_equal(request_encode(r, WIRE_HEADER_SIZE, &frame, &len, &e), 0);
        frame_header(frame, false, (uint32_t)len);
        len += WIRE_HEADER_SIZE;
        assert_int_equal(write(client, frame, len), len);
        free(frame);
}

static void read_all(struct front *f, int client, uint8_t *to, size_t len)
{
        for (size_t have = 0; have < len;) {
                ssize_t n = read(client, to + have, len - have);
                assert_true(n > 0 || (n < 0 && errno == EAGAIN));
                if (n > 0)
                        have += (size_t)n;
                else
                        front_round(f);
        }
}

void front_hear(struct front *f, int client, struct answer *a, uint8_t **bytes)
{
        uint8_t header[WIRE_HEADER_SIZE];
        struct frame frame;
        struct err e = { 0 };

        read_all(f, client, header, sizeof header);
        assert_int_equal(frame_parse(&frame, header, sizeof header, MIB, &e), FRAME_OK);
        *bytes = malloc(frame.length ? frame.length : 1);
        assert_non_null(*bytes);
        read_all(f, client, *bytes, frame.length);
        assert_int_equal(answer_decode(a, *bytes, frame.length, &e), 0);
}
