/* The connection of an asynchronous client. Dials until one dial succeeds, reads and writes while the connection
 * stands, and settles the calls when it is lost. */
#include "client/async_parts.h"
#include "client/dial.h"
#include "proto/base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
        PARTS = 64,              /* messages in one writing */
        WRITE_AT_ONCE = 4 << 20, /* bytes that one dispatch writes, so that other work has its turn */
        READ_AT_ONCE = 2 << 20,  /* bytes that one dispatch reads, unpacked */
        LAST_WORDS_US = 1000000, /* how long to wait for the server's reason, after it stopped reading */
        MOST_DOUBLINGS = 20,
};

/* ---------------------------------------------------------------- made */

static void told_disconnected(struct hatchery_client *c, const struct err *why, int64_t retry_ms)
{
        const struct hatchery_client_ops *ops = c->config.ops;
        if (ops && ops->disconnected && !c->freed)
                ops->disconnected(c->config.data, c, why, retry_ms);
}

/* Shortens the pause at random, by up to a half, so that clients that were cut off together do not come back
 * together. */
static int64_t shorten(int64_t pause_us)
{
        uint32_t random = 0;
        if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
                random = (uint32_t)clock_us();
        return pause_us - pause_us / 2 * (random % 1000) / 1000;
}

static int64_t pause_us(const struct hatchery_client *c)
{
        int64_t most = (int64_t)c->config.backoff_most_ms * 1000;
        unsigned doublings = c->attempts < MOST_DOUBLINGS ? c->attempts : MOST_DOUBLINGS;
        int64_t pause = ((int64_t)c->config.backoff_first_ms * 1000) << doublings;
        return shorten(pause < most ? pause : most);
}

/* There is no connection. Plans the next attempt, and returns the pause before it in milliseconds; -1: there is
 * none. */
static int64_t rest(struct hatchery_client *c, uint64_t server_says_ms)
{
        if (c->config.once) {
                c->connection = CONNECTION_OVER;
                return -1;
        }
        int64_t pause = pause_us(c);
        if (server_says_ms > 0) {
                int64_t most = (int64_t)c->config.backoff_most_ms;
                int64_t says = server_says_ms < (uint64_t)most ? (int64_t)server_says_ms : most;
                pause = pause > says * 1000 ? pause : says * 1000;
        }
        c->attempts++;
        c->connection = CONNECTION_RESTS;
        c->retry_us = clock_us() + pause;
        return (pause + 999) / 1000;
}

/* Ends the calls that wait for a connection but may not, or whose connection will never come. */
static void fail_unconnected(struct hatchery_client *c, struct reason *reason)
{
        for (struct hatchery_call *call = TAILQ_FIRST(&c->calls), *next; call; call = next) {
                next = TAILQ_NEXT(call, link);
                if (call->state != CALL_QUEUED && call->state != CALL_RESTS)
                        continue;
                if (call->cancelled)
                        end_fail(call, HATCHERY_WITHDRAWN, call->ran, reason); /* its Cancel is lost */
                else if (call->only_connected || c->connection == CONNECTION_OVER)
                        end_fail(call, HATCHERY_NOT_CONNECTED, call->ran, reason);
        }
}

static void attempt_failed(struct hatchery_client *c, const struct err *why)
{
        dial_free(c->dial);
        c->dial = NULL;
        int64_t retry_ms = rest(c, 0);
        struct reason *reason = reason_new(why, NULL);
        fail_unconnected(c, reason);
        reason_drop(reason);
        told_disconnected(c, why, retry_ms);
}

static int watch(struct hatchery_client *c, int how, bool writing)
{
        struct epoll_event event = { .events = writing ? EPOLLIN | EPOLLOUT : EPOLLIN };
        c->wants_write = writing;
        return epoll_ctl(c->epoll_fd, how, c->fd, &event);
}

static void step_dial(struct hatchery_client *c, int64_t now_us)
{
        struct err why = { 0 };
        int r = dial_step(c->dial, now_us, &c->fd, &why);
        if (r == DIAL_PENDING)
                return;
        if (r == 0 && watch(c, EPOLL_CTL_ADD, false) < 0) {
                r = err_set(&why, errno, "watch the connection");
                close(c->fd);
                c->fd = -1;
        }
        if (r < 0) {
                attempt_failed(c, &why);
                return;
        }
        dial_free(c->dial);
        c->dial = NULL;
        c->connection = CONNECTION_UP;
        c->mute = c->proven = false;
        c->heard_us = now_us;
        if (c->config.ops && c->config.ops->connected)
                c->config.ops->connected(c->config.data, c);
}

static void begin_dial(struct hatchery_client *c, int64_t now_us)
{
        struct err why = { 0 };
        c->connection = CONNECTION_DIALING;
        int r = dial_new(&c->dial, c->address, c->epoll_fd, now_us + (int64_t)c->config.connect_ms * 1000, &why);
        if (r < 0)
                attempt_failed(c, &why);
        else
                step_dial(c, now_us);
}

/* ---------------------------------------------------------------- lost */

void connection_close(struct hatchery_client *c)
{
        dial_free(c->dial);
        c->dial = NULL;
        if (c->fd >= 0)
                close(c->fd); /* the last copy of this descriptor, so epoll stops watching it */
        c->fd = -1;
        c->more = false;
        inflow_fini(&c->in);
}

void connection_lost(struct hatchery_client *c, enum hatchery_failure_kind kind, const struct err *why,
                     const struct hatchery_refusal *refusal)
{
        if (c->connection != CONNECTION_UP)
                return;
        if (c->proven)
                c->attempts = 0;
        struct reason *reason = reason_new(why, refusal);
        int64_t retry_ms = rest(c, refusal ? refusal->retry_after_ms : 0);

        connection_close(c);
        for (struct hatchery_call *call = TAILQ_FIRST(&c->calls), *next; call; call = next) {
                next = TAILQ_NEXT(call, link);
                if (call->state == CALL_SENT)
                        end_fail(call, kind, call->kind == REQUEST_EXECUTE, reason);
        }
        queue_cut(c);
        fail_unconnected(c, reason);
        reason_drop(reason);
        told_disconnected(c, why, retry_ms);
}

/* ---------------------------------------------------------------- while it stands */

/* Handles the messages that have arrived. Returns about how many bytes they are, unpacked. */
static size_t take_messages(struct hatchery_client *c, size_t most)
{
        size_t taken = 0;

        while (taken < most && c->connection == CONNECTION_UP && !c->freed) {
                struct hatchery_answer a;
                struct err why = { 0 };
                uint64_t id;
                int r = inflow_take(&c->in, &a, &id, &why);
                if (r == INFLOW_MORE)
                        return taken;
                if (r < 0) {
                        connection_lost(c, why.code == ENOMEM ? HATCHERY_LOST : HATCHERY_PROTOCOL, &why, NULL);
                        return taken;
                }
                taken += sizeof a + a.answer.out.len + a.answer.err.len;
                if (r == INFLOW_UNREADABLE)
                        answers_unreadable(c, id, &why);
                else
                        answers_take(c, &a);
                hatchery_answer_fini(&a);
        }
        return taken;
}

static void closed_by_server(struct hatchery_client *c)
{
        struct err why = { 0 };
        err_say(&why, ECONNRESET, "the server closed the connection%s",
                c->in.len > 0 ? " in the middle of an answer" : "");
        connection_lost(c, HATCHERY_LOST, &why, NULL);
}

static void read_socket(struct hatchery_client *c)
{
        size_t taken = 0;

        for (;;) {
                taken += take_messages(c, READ_AT_ONCE - taken);
                if (c->connection != CONNECTION_UP || c->freed)
                        return;
                c->more = inflow_has_frame(&c->in);
                if (c->more || taken >= READ_AT_ONCE)
                        return;
                struct err why = { 0 };
                size_t before = c->in.len;
                int r = inflow_read(&c->in, c->fd, &why);
                if (r == INFLOW_NOTHING)
                        return;
                if (r < 0 || r == INFLOW_END) {
                        if (r < 0)
                                connection_lost(c, HATCHERY_LOST, &why, NULL);
                        else
                                closed_by_server(c);
                        return;
                }
                c->heard_us = clock_us();
                taken += c->in.len - before;
        }
}

void connection_flush(struct hatchery_client *c)
{
        size_t written = 0;
        bool full = false;

        while (connection_takes(c) && written < WRITE_AT_ONCE && !full) {
                struct iovec parts[PARTS];
                struct msghdr message = { .msg_iov = parts };
                message.msg_iovlen = queue_gather(c, parts, PARTS);
                if (message.msg_iovlen == 0)
                        break;
                ssize_t n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
                if (n >= 0) {
                        queue_written(c, (size_t)n);
                        written += (size_t)n;
                } else if (errno == EAGAIN) {
                        full = true;
                } else if (errno != EINTR) {
                        /* Messages that the server sent before it stopped reading can still be read. */
                        c->mute = true;
                        c->last_words_us = clock_us() + LAST_WORDS_US;
                        client_wake(c);
                }
        }
        bool waits = connection_takes(c) && !TAILQ_EMPTY(&c->queue);
        if (c->connection == CONNECTION_UP && waits != c->wants_write && watch(c, EPOLL_CTL_MOD, waits) < 0) {
                c->mute = true;
                c->last_words_us = clock_us();
                client_wake(c);
        }
}

static void step_up(struct hatchery_client *c, int64_t now_us)
{
        read_socket(c);
        if (c->connection != CONNECTION_UP || c->freed || !c->mute || c->more || now_us < c->last_words_us)
                return;
        struct err why = { 0 };
        err_say(&why, EPIPE, "the server reads no more from this connection");
        connection_lost(c, HATCHERY_LOST, &why, NULL);
}

void connection_step(struct hatchery_client *c, int64_t now_us)
{
        if (c->connection == CONNECTION_RESTS && now_us >= c->retry_us)
                begin_dial(c, now_us);
        else if (c->connection == CONNECTION_DIALING)
                step_dial(c, now_us);
        else if (c->connection == CONNECTION_UP)
                step_up(c, now_us);
}

int64_t connection_next_us(const struct hatchery_client *c)
{
        switch (c->connection) {
        case CONNECTION_RESTS:
                return c->retry_us;
        case CONNECTION_DIALING:
                return dial_next_us(c->dial);
        case CONNECTION_UP:
                return c->mute ? c->last_words_us : INT64_MAX;
        case CONNECTION_OVER:
        default:
                return INT64_MAX;
        }
}
