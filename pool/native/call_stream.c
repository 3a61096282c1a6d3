/* The stream of a running call. Output goes out as it comes, within the client's credit and the connection's room.
 * Input, signals and terminal sizes go in as the client sends them.
 *
 * The streams of one outbox take turns. When UNSENT_BYTES of output are unsent there, no stream adds more, and the
 * core stops reading their programs' pipes. As the client reads, the streams go on in a circle. So an answer waits
 * behind at most UNSENT_BYTES of output. If a client does not read, the server holds no more output than that. */
#include "pool/native/answers.h"
#include "pool/native/call_parts.h"
#include "pool/native/connection_parts.h"
#include "proto/base/clock.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

enum {
        FRAME_BYTES = 64 << 10,     /* bytes of output in one message */
        UNSENT_BYTES = 256 << 10,   /* unsent output at which the streams of an outbox stop */
        RESUMED_AT_ONCE = 4,        /* streams of one caller that go on before the loop has its next turn */
        CALLERS_AT_ONCE = 16,       /* callers of one connection whose streams go on before that turn */
        CREDIT_STEP = 64 << 10,     /* credit for input is sent in steps of at least this many bytes */
        SIGNAL_US = 10000,          /* average time between two signals: their zygote serves other runs, too */
        SIGNALS_AHEAD_US = 1000000, /* a call may be this far ahead of that average: a hundred signals at once */
};

/* ---------------------------------------------------------------- output */

static struct answer message(const struct call *call, pb_size_t which)
{
        return (struct answer){ .m = { .id = call->id, .which_answer = which } };
}

/* The two times come from different places, so the later one may be a little smaller. */
static uint64_t since(int64_t from_us, int64_t us)
{
        return us > from_us ? (uint64_t)(us - from_us) : 0;
}

static void send_output(struct call *call, enum stream which, struct span bytes, uint64_t offset, int64_t at_us)
{
        struct answer a = message(call, hatchery_v1_ServerMessage_output_tag);
        hatchery_v1_Output *output = &a.m.answer.output;

        output->stream = which == STREAM_STDERR ? hatchery_v1_Output_Stream_STDERR : hatchery_v1_Output_Stream_STDOUT;
        output->offset = offset;
        output->at_us = since(call->began_us, at_us);
        a.out = bytes;
        outbox_answer(call->outbox, &a);
}

static bool has_room(const struct outbox *o)
{
        const size_t max = o->connection->native->config->max_unsent_bytes;
        return outbox_unsent(o) < (max < UNSENT_BYTES ? max : UNSENT_BYTES);
}

/* While other streams wait, a call may send only in its turn. */
static bool may_send(const struct call *call)
{
        const struct outbox *o = call->outbox;
        return call->credit > 0 && has_room(o) && (TAILQ_EMPTY(&o->waiting) || o->has_turn == call);
}

static void wait_for(struct call *call, enum call_wait what)
{
        struct outbox *o = call->outbox;

        call->wait = what;
        if (what != CALL_WAITS_FOR_ROOM)
                return;
        if (TAILQ_EMPTY(&o->waiting))
                TAILQ_INSERT_TAIL(&call->connection->stalled, o, stalled);
        TAILQ_INSERT_TAIL(&o->waiting, call, turn);
}

static void wait_no_more(struct call *call)
{
        struct outbox *o = call->outbox;

        if (call->wait == CALL_WAITS_FOR_ROOM) {
                TAILQ_REMOVE(&o->waiting, call, turn);
                if (TAILQ_EMPTY(&o->waiting))
                        TAILQ_REMOVE(&call->connection->stalled, o, stalled);
        }
        call->wait = CALL_FLOWS;
}

size_t call_on_output(struct sink *sink, enum stream which, struct span bytes, uint64_t offset, int64_t at_us)
{
        struct call *call = (struct call *)sink;
        size_t taken = 0;

        while (!call->dropped && taken < bytes.len && may_send(call)) {
                size_t n = bytes.len - taken < FRAME_BYTES ? bytes.len - taken : FRAME_BYTES;
                if (n > call->credit)
                        n = (size_t)call->credit;
                call->credit -= n;
                send_output(call, which, (struct span){ bytes.data + taken, n }, offset + taken, at_us);
                taken += n;
        }
        if (taken == bytes.len)
                return taken;
        if (call->hurries) {
                call->dropped = true;
                return bytes.len;
        }
        wait_for(call, call->credit == 0 ? CALL_WAITS_FOR_CREDIT : CALL_WAITS_FOR_ROOM);
        return taken;
}

/* The call may be gone after this. */
static void resume(struct call *call)
{
        if (call->wait == CALL_FLOWS)
                return;
        wait_no_more(call);
        execution_resume(call->execution);
}

/* The streams of one caller go on. */
static void go_on(struct outbox *o)
{
        struct call *call;

        for (int i = 0; i < RESUMED_AT_ONCE && has_room(o) && (call = TAILQ_FIRST(&o->waiting)); i++) {
                o->has_turn = call;
                resume(call);
        }
        o->has_turn = NULL;
}

void call_go_on(struct connection *c)
{
        struct outbox *last = TAILQ_LAST(&c->stalled, outbox_list);

        for (int i = 0; i < CALLERS_AT_ONCE && last; i++) {
                struct outbox *o = TAILQ_FIRST(&c->stalled);
                const bool is_last = o == last;
                TAILQ_REMOVE(&c->stalled, o, stalled);
                TAILQ_INSERT_TAIL(&c->stalled, o, stalled);
                o->users++;
                go_on(o);
                outbox_release(o);
                if (is_last || TAILQ_EMPTY(&c->stalled))
                        break;
        }
        if (!TAILQ_EMPTY(&c->stalled))
                connection_await_room(c);
}

void call_credit(struct call *call, uint64_t bytes)
{
        if (!call->streams || bytes == 0)
                return;
        call->credit = bytes < WIRE_MAX_CREDIT - call->credit ? call->credit + bytes : WIRE_MAX_CREDIT;
        if (call->wait == CALL_WAITS_FOR_CREDIT)
                resume(call);
}

void call_on_stage(struct sink *sink, enum stage stage, int64_t at_us)
{
        struct call *call = (struct call *)sink;
        struct answer a = message(call, hatchery_v1_ServerMessage_stage_tag);

        if (stage == STAGE_RUN)
                call->began_us = at_us;
        a.m.answer.stage.kind = stage == STAGE_RUN ? hatchery_v1_Stage_Kind_RUN : hatchery_v1_Stage_Kind_COMPILE;
        a.m.answer.stage.at_us = since(call->arrived_us, at_us);
        outbox_answer(call->outbox, &a);
}

/* ---------------------------------------------------------------- input */

static void send_credit(struct call *call, uint64_t bytes, bool closed)
{
        struct answer a = message(call, hatchery_v1_ServerMessage_credit_tag);

        a.m.answer.credit.request_id = call->id;
        a.m.answer.credit.bytes = bytes;
        a.m.answer.credit.closed = closed;
        call->input_credit += bytes;
        outbox_answer(call->outbox, &a);
}

/* Gives the client credit for the bytes that the program's pipe has taken. */
void call_on_input_wanted(struct sink *sink)
{
        struct call *call = (struct call *)sink;
        int room = call->execution ? execution_input_room(call->execution) : -EAGAIN;

        if (room == -EPIPE && !call->deaf) {
                call->deaf = true;
                send_credit(call, 0, true);
        }
        if (room >= 0 && (uint64_t)room >= call->input_credit + CREDIT_STEP)
                send_credit(call, (uint64_t)room - call->input_credit, false);
}

void call_input(struct call *call, struct span bytes, bool end)
{
        char text[256];

        if (call->deaf)
                return;
        if (bytes.len > call->input_credit) {
                snprintf(text, sizeof text,
                         "a StdinChunk of %zu bytes came, and only %" PRIu64 " had credit; wait for Credit", bytes.len,
                         call->input_credit);
                call_refuse(call, REFUSAL_INVALID_ARGUMENT, text);
                return;
        }
        call->input_credit -= bytes.len;
        switch (execution_input(call->execution, bytes, end)) {
        case 0:
                break;
        case -EPIPE:
                call_on_input_wanted(&call->sink);
                break;
        case -ENOMEM:
                call_refuse(call, REFUSAL_RESOURCE_EXHAUSTED, "no memory for a StdinChunk; try again later");
                break;
        default:
                call_refuse(
                        call, REFUSAL_INVALID_ARGUMENT,
                        "a StdinChunk came whose request has no live_stdin, or whose input has ended with eof before");
        }
}

/* ---------------------------------------------------------------- signals and sizes */

static bool is_allowed(uint32_t number)
{
        switch (number) {
        case SIGHUP:
        case SIGINT:
        case SIGQUIT:
        case SIGKILL:
        case SIGUSR1:
        case SIGUSR2:
        case SIGTERM:
        case SIGCONT:
        case SIGSTOP:
        case SIGWINCH:
                return true;
        default:
                return false;
        }
}

static bool is_too_soon(struct call *call)
{
        const int64_t now = clock_us();

        if (call->signals_us - now > SIGNALS_AHEAD_US)
                return true;
        call->signals_us = (call->signals_us > now ? call->signals_us : now) + SIGNAL_US;
        return false;
}

int call_signal(struct call *call, uint32_t number, bool *sent, struct refusal *refusal)
{
        *sent = false;
        if (!is_allowed(number))
                return refuse(
                        refusal, REFUSAL_INVALID_ARGUMENT,
                        "signal %" PRIu32
                        " can't be sent; possible are HUP 1, INT 2, QUIT 3, KILL 9, USR1 10, USR2 12, TERM 15, CONT 18, "
                        "STOP 19, WINCH 28",
                        number);
        if (!call)
                return 0;
        if (is_too_soon(call)) {
                int r = refuse(refusal, REFUSAL_RESOURCE_EXHAUSTED,
                               "a request can have 100 signals a second; wait a moment");
                refusal->retry_after_ms = SIGNALS_AHEAD_US / 1000;
                return r;
        }
        *sent = execution_signal(call->execution, (int)number) == 0;
        return 0;
}

void call_resize(struct call *call, const struct terminal_size *size)
{
        /* An impossible size is ignored and does not end the run: a window that is just being made may have no rows. */
        (void)execution_resize(call->execution, size);
}

/* ---------------------------------------------------------------- beginning and end */

void call_stream_begin(struct call *call)
{
        call->credit = call->input_credit = WIRE_FIRST_CREDIT;
        call->arrived_us = call->began_us = clock_us();
}

void call_stream_hurry(struct call *call)
{
        struct outbox *o = call->outbox;

        call->hurries = true;
        o->users++;
        o->has_turn = call;
        resume(call);
        o->has_turn = NULL;
        outbox_release(o);
}

void call_stream_end(struct call *call)
{
        wait_no_more(call);
}
