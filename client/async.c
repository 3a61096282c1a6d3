/* The asynchronous client's life, its settings, and one dispatch: see async.h. */
#include "client/async.h"

#include "client/address.h"
#include "client/async_parts.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

int hatchery_api_version(void)
{
        return HATCHERY_API_VERSION;
}

/* ---------------------------------------------------------------- life */

#define STANDARD(field, value) ((field) = (field) ? (field) : (value))

static void fill_in(struct hatchery_client_config *config)
{
        STANDARD(config->max_answer, WIRE_MAX_ANSWER);
        STANDARD(config->max_unsent, (size_t)64 << 20);
        STANDARD(config->max_calls, 10000);
        STANDARD(config->connect_ms, 10000);
        STANDARD(config->backoff_first_ms, 100);
        STANDARD(config->backoff_most_ms, 10000);
        STANDARD(config->grace_ms, 5000);
}

int hatchery_client_new(struct hatchery_client **out, const struct hatchery_client_config *config, struct err *e)
{
        const char *address = hatchery_address(config->address);
        int r = address_check(address, e);
        if (r < 0)
                return r;
        OWN_FD int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (epoll_fd < 0)
                return err_set(e, errno, "make an epoll descriptor");
        struct hatchery_client *c = calloc(1, sizeof *c);
        if (!c)
                return err_set(e, ENOMEM, "make a client");

        snprintf(c->address, sizeof c->address, "%s", address);
        c->config = *config;
        c->config.address = c->address;
        fill_in(&c->config);
        c->in.max = c->config.max_answer;
        c->epoll_fd = own_steal_fd(&epoll_fd);
        c->fd = -1;
        TAILQ_INIT(&c->queue);
        TAILQ_INIT(&c->calls);
        TAILQ_INIT(&c->failed);
        TAILQ_INIT(&c->hungry);
        c->connection = CONNECTION_RESTS; /* until the first dispatch */
        *out = c;
        return HATCHERY_OK;
}

static void free_now(struct hatchery_client *c)
{
        struct hatchery_call *call;

        while ((call = TAILQ_FIRST(&c->failed)) || (call = TAILQ_FIRST(&c->calls)))
                call_free(call);
        queue_fini(c);
        index_fini(c);
        connection_close(c);
        close(c->epoll_fd);
        free(c);
}

void hatchery_client_free(struct hatchery_client *c)
{
        if (!c)
                return;
        c->freed = true;
        if (!c->dispatching)
                free_now(c);
}

/* ---------------------------------------------------------------- driving */

void client_wake(struct hatchery_client *c)
{
        if (!c->dispatching && c->wake)
                c->wake(c->wake_data);
}

void hatchery_client_on_wake(struct hatchery_client *c, void (*wake)(void *data), void *data)
{
        c->wake = wake;
        c->wake_data = data;
}

int hatchery_client_fd(const struct hatchery_client *c)
{
        return c->epoll_fd;
}

static bool has_room(const struct hatchery_client *c)
{
        return c->unsent <= c->config.max_unsent / 2 && c->n_calls < c->config.max_calls;
}

int hatchery_client_timeout_ms(const struct hatchery_client *c)
{
        const struct hatchery_call *due = index_first_due(c);
        int64_t next_us = connection_next_us(c);

        if (c->more || !TAILQ_EMPTY(&c->failed) || stream_can_feed(c) || (c->told_full && has_room(c)))
                return 0;
        if (due && due->due_us < next_us)
                next_us = due->due_us;
        if (next_us == INT64_MAX)
                return -1;
        int64_t left_us = next_us - clock_us();
        if (left_us <= 0)
                return 0;
        return left_us / 1000 < INT_MAX - 1 ? (int)((left_us + 999) / 1000) : INT_MAX;
}

static void tell_room(struct hatchery_client *c)
{
        const struct hatchery_client_ops *ops = c->config.ops;

        if (!c->told_full || !has_room(c))
                return;
        c->told_full = false;
        if (ops && ops->room)
                ops->room(c->config.data, c);
}

/* Reads the socket before it looks for late calls: an answer that already waits in the socket is not late. */
static void dispatch(struct hatchery_client *c)
{
        connection_step(c, clock_us());
        if (!c->freed && !c->more)
                end_expire(c, clock_us());
        if (!c->freed)
                end_tell(c);
        if (!c->freed)
                connection_flush(c);
        if (!c->freed)
                stream_feed(c);
        if (!c->freed)
                tell_room(c);
        if (!c->freed)
                connection_flush(c);
}

void hatchery_client_dispatch(struct hatchery_client *c)
{
        if (c->dispatching)
                return;
        c->dispatching = true;
        dispatch(c);
        c->dispatching = false;
        if (c->freed)
                free_now(c);
}

int hatchery_client_wait(struct hatchery_client *c, int timeout_ms, struct err *e)
{
        struct pollfd p = { .fd = c->epoll_fd, .events = POLLIN };
        int own_ms = hatchery_client_timeout_ms(c);
        bool mine = own_ms >= 0 && (timeout_ms < 0 || own_ms <= timeout_ms);

        if (c->dispatching)
                return err_say(e, EBUSY, "a callback can't wait for the client that calls it");
        int n = poll(&p, 1, mine ? own_ms : timeout_ms);
        if (n < 0)
                return err_set(e, errno, "wait for the server");
        if (n == 0 && !mine)
                return HATCHERY_TIMEOUT;
        hatchery_client_dispatch(c);
        return HATCHERY_OK;
}

bool hatchery_client_is_connected(const struct hatchery_client *c)
{
        return connection_takes(c);
}

size_t hatchery_client_calls(const struct hatchery_client *c)
{
        return c->n_calls;
}
