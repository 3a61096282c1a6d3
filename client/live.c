/* The loop of one run: see live.h. The loop polls one descriptor for each source of events: the server, our signals,
 * our standard input, and an output that can take more. */
#include "client/live.h"

#include "client/intake.h"
#include "client/interrupt.h"
#include "client/signals.h"
#include "proto/base/clock.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { CTRL_C = 3 };

struct live {
        const struct options *o;
        struct hatchery_client *client;
        struct hatchery_call *call; /* NULL: the call has ended */
        struct live_end *end;
        struct outflow *out;
        uint64_t credited;         /* how much of out->settled the server has credit for already */
        struct terminal *terminal; /* or NULL */
        struct terminal_size size; /* the size that the program was told */
        bool resize_due;
        struct signals signals;
        struct interrupt interrupt;
        enum interrupt_program program;
        struct intake in;
        bool is_over; /* the loop ends at once, even if output is still unwritten */
};

/* ---------------------------------------------------------------- ends */

static void fail(struct live *l, const struct err *why)
{
        l->end->why = *why;
        l->is_over = true;
}

static void die(struct live *l, int number)
{
        l->end->signal = number;
        l->is_over = true;
}

/* ---------------------------------------------------------------- what the server tells */

static void when_stage(void *data, struct hatchery_call *call, hatchery_v1_Stage_Kind kind, uint64_t at_us)
{
        struct live *l = data;
        (void)call;
        (void)at_us;
        if (kind == hatchery_v1_Stage_Kind_RUN)
                l->program = INTERRUPT_RUNNING;
}

static void add(struct live *l, enum outflow_stream stream, struct span bytes)
{
        struct err e = { 0 };
        int r = outflow_add(l->out, stream, bytes);
        if (r < 0) {
                err_set(&e, -r, "hold output");
                fail(l, &e);
        }
}

static void when_output(void *data, struct hatchery_call *call, const struct hatchery_output *output)
{
        struct live *l = data;
        enum outflow_stream stream = output->stream == hatchery_v1_Output_Stream_STDERR ? OUTFLOW_ERR : OUTFLOW_OUT;
        (void)call;
        l->end->streamed[stream] += output->bytes.len;
        add(l, stream, output->bytes);
}

static void when_input_closed(void *data, struct hatchery_call *call)
{
        struct live *l = data;
        (void)call;
        intake_close(&l->in);
}

static void act(struct live *l, enum interrupt_action action)
{
        switch (action) {
        case INTERRUPT_SIGNAL:
                if (l->call && hatchery_call_signal(l->call, SIGINT) == 0)
                        return;
                act(l, interrupt_missed(&l->interrupt));
                return;
        case INTERRUPT_CANCEL:
                if (l->call)
                        hatchery_call_cancel(l->call);
                return;
        case INTERRUPT_LEAVE:
                die(l, SIGINT);
                return;
        }
}

static void when_signalled(void *data, struct hatchery_call *call, bool sent, const struct hatchery_refusal *refusal)
{
        struct live *l = data;
        (void)call;
        if (!sent || refusal)
                act(l, interrupt_missed(&l->interrupt));
}

static void when_answered(void *data, struct hatchery_call *call, struct hatchery_answer *a)
{
        struct live *l = data;
        (void)call;
        l->call = NULL;
        intake_close(&l->in);
        l->end->has_answer = true;
        hatchery_answer_move(&l->end->answer, a);
        a = &l->end->answer;
        if (l->o->json || a->answer.m.which_answer != hatchery_v1_ServerMessage_result_tag)
                return;
        /* The compiler's messages are not the program's output, so both of its streams go to standard error. */
        add(l, OUTFLOW_OUT, a->answer.out);
        add(l, OUTFLOW_ERR, a->answer.compile_out);
        add(l, OUTFLOW_ERR, a->answer.compile_err);
        add(l, OUTFLOW_ERR, a->answer.err);
}

static void when_failed(void *data, struct hatchery_call *call, const struct hatchery_failure *f)
{
        struct live *l = data;
        struct live_end *end = l->end;
        (void)call;
        l->call = NULL;
        intake_close(&l->in);
        end->is_refused = f->has_refusal;
        if (f->has_refusal) {
                end->code = (int)f->refusal.code;
                end->retry_after_ms = f->refusal.retry_after_ms;
                err_say(&end->why, ECONNREFUSED, "%s", f->refusal.message);
        } else {
                end->why = f->error;
        }
}

static const struct hatchery_call_ops call_ops = {
        .stage = when_stage,
        .output = when_output,
        .input_closed = when_input_closed,
        .signalled = when_signalled,
        .answered = when_answered,
        .failed = when_failed,
};

/* ---------------------------------------------------------------- what happens here */

/* In raw mode each key goes to the program at once, also keys typed before the program starts. The program's own
 * terminal echoes them. */
static void take_terminal(struct live *l)
{
        struct err e = { 0 };
        if (terminal_make_raw(l->terminal, &e) < 0)
                fail(l, &e);
        l->resize_due = true;
}

static void take_signal(struct live *l, int number)
{
        switch (number) {
        case SIGINT:
                act(l, interrupt_pressed(&l->interrupt, l->program, clock_us()));
                return;
        case SIGTERM:
        case SIGHUP:
                die(l, number);
                return;
        case SIGTSTP:
                terminal_restore(l->terminal);
                signals_stop();
                take_terminal(l);
                return;
        case SIGCONT: /* other processes may have changed the terminal meanwhile */
                terminal_restore(l->terminal);
                take_terminal(l);
                return;
        default: /* SIGWINCH */
                l->resize_due = true;
                return;
        }
}

static void resize(struct live *l)
{
        if (!l->resize_due || !l->call || l->program != INTERRUPT_RUNNING)
                return;
        const struct terminal_size size = terminal_size(l->terminal);
        l->resize_due = false;
        if (size.rows == l->size.rows && size.columns == l->size.columns)
                return;
        if (hatchery_call_resize(l->call, size.rows, size.columns) == HATCHERY_FULL)
                l->resize_due = true;
        else
                l->size = size;
}

static void read_input(struct live *l)
{
        struct err e = { 0 };
        int r = intake_read(&l->in, l->call, &e);
        if (r < 0)
                fail(l, &e);
        else if (r == INTAKE_END && l->terminal)
                die(l, SIGHUP); /* in raw mode no key ends the input, so its end means that the terminal has gone */
        else if (l->terminal && l->program == INTERRUPT_WAITING && intake_drop(&l->in, CTRL_C))
                act(l, interrupt_pressed(&l->interrupt, l->program, clock_us()));
}

static void push_input(struct live *l)
{
        struct err e = { 0 };
        if (l->call && intake_push(&l->in, l->call, &e) < 0)
                fail(l, &e);
}

/* Writes what can be written, and gives the server credit for as many bytes. */
static void push_output(struct live *l)
{
        outflow_push(l->out);
        const uint64_t settled = l->out->settled;
        if (l->call && settled > l->credited)
                hatchery_call_consumed(l->call, settled - l->credited);
        l->credited = settled;
        for (int i = 0; i < OUTFLOW_STREAMS; i++)
                if (l->out->to[i].error == EPIPE && signals_pipe_kills(&l->signals))
                        die(l, SIGPIPE);
}

enum { SERVER, SIGNALS, INPUT, OUTPUT, WATCHED };

static void turn(struct live *l)
{
        struct pollfd watched[WATCHED] = {
                [SERVER] = { .fd = l->call ? hatchery_client_fd(l->client) : -1, .events = POLLIN },
                [SIGNALS] = { .fd = l->signals.fd, .events = POLLIN },
                [INPUT] = { .fd = l->call ? intake_awaited(&l->in, l->call) : -1, .events = POLLIN },
                [OUTPUT] = { .fd = outflow_awaited(l->out), .events = POLLOUT },
        };
        if (poll(watched, WATCHED, l->call ? (int)hatchery_client_timeout_ms(l->client) : -1) < 0 && errno != EINTR) {
                struct err e = { 0 };
                err_set(&e, errno, "wait for the server");
                fail(l, &e);
                return;
        }
        for (int number = signals_next(&l->signals); number && !l->is_over; number = signals_next(&l->signals))
                take_signal(l, number);
        if (l->call && !l->is_over)
                hatchery_client_dispatch(l->client);
        if (l->call && !l->is_over && watched[INPUT].revents)
                read_input(l);
        push_input(l);
        resize(l);
        push_output(l);
}

static void loop(struct live *l, const struct request *q)
{
        const struct hatchery_call_options options = { .only_connected = true, .manual_credit = true };
        struct err e = { 0 };

        if (signals_catch(&l->signals, l->terminal, &e) < 0) {
                fail(l, &e);
                return;
        }
        int r = hatchery_client_send(l->client, q, &options, &call_ops, l, &l->call, &e);
        if (r > 0)
                r = err_say(&e, EMSGSIZE, "the request is larger than this machine can hold");
        if (r < 0)
                fail(l, &e);
        if (l->terminal && !l->is_over)
                take_terminal(l);
        while (!l->is_over && (l->call || outflow_awaited(l->out) >= 0))
                turn(l);
        if (l->call)
                hatchery_call_abandon(l->call);
}

void live_run(struct live_end *end, struct hatchery_client *client, const struct request *q, const struct options *o,
              struct outflow *out, struct terminal *terminal)
{
        struct live l = {
                .o = o,
                .client = client,
                .end = end,
                .out = out,
                .terminal = terminal,
                .size = q->execute.terminal,
                .signals = { .fd = -1 },
                .program = q->execute.stream ? INTERRUPT_WAITING : INTERRUPT_UNKNOWN,
        };
        *end = (struct live_end){ 0 };
        intake_init(&l.in, q->execute.live_input ? STDIN_FILENO : -1);
        loop(&l, q);
        if (terminal)
                terminal_restore(terminal);
        signals_release(&l.signals);
        end->interrupted = l.interrupt.passed_on || l.interrupt.cancelled;
}
