/* The calls that wait: see hatchery.h. They use the same two parts as the asynchronous client: outframe turns requests
 * into frames, inflow turns bytes into answers. The socket is always non-blocking; this file waits by poll. */
#include "client/hatchery.h"

#include "client/address.h"
#include "client/inflow.h"
#include "client/outframe.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
        CONNECT_TIMEOUT_MS = 10000,
        LAST_WORDS_TIMEOUT_MS =
                1000, /* how long to wait for the server's reason, after it closed the connection during a request */
};

struct hatchery {
        int fd;
        bool compress;
        bool ended;       /* the server sends no more, or its bytes can't be understood */
        bool mute;        /* a request was sent in part: no other may follow */
        uint64_t last_id; /* the last id that hatchery_call chose */
        struct inflow in;
};

const char *hatchery_address(const char *address)
{
        if (!address)
                address = getenv("HATCHERY_ADDR");
        return address && address[0] != '\0' ? address : HATCHERY_DEFAULT_ADDRESS;
}

int hatchery_connect(struct hatchery **out, const char *address, struct err *e)
{
        OWN_FD int fd = address_connect(hatchery_address(address), CONNECT_TIMEOUT_MS, e);
        if (fd < 0)
                return fd;
        struct hatchery *h = calloc(1, sizeof *h);
        if (!h)
                return err_set(e, ENOMEM, "make a connection");
        h->fd = own_steal_fd(&fd);
        h->in.max = WIRE_MAX_ANSWER;
        *out = h;
        return HATCHERY_OK;
}

void hatchery_close(struct hatchery *h)
{
        if (!h)
                return;
        close(h->fd);
        inflow_fini(&h->in);
        free(h);
}

void hatchery_set_compress(struct hatchery *h, bool compress)
{
        h->compress = compress;
}

void hatchery_set_max_answer(struct hatchery *h, uint32_t bytes)
{
        h->in.max = bytes;
}

int hatchery_fd(const struct hatchery *h)
{
        return h->fd;
}

void hatchery_answer_fini(struct hatchery_answer *a)
{
        answer_fini(&a->answer);
        free(a->buffer);
        memset(a, 0, sizeof *a);
}

/* Reads what the socket holds, without waiting. An enum inflow_read or a negative errno. */
static int fill(struct hatchery *h, struct err *e)
{
        if (h->ended)
                return INFLOW_END;
        int r = inflow_read(&h->in, h->fd, e);
        if (r == INFLOW_END)
                h->ended = true;
        return r;
}

/* Takes the first answer that has arrived: HATCHERY_OK, or INFLOW_MORE. */
static int take(struct hatchery *h, struct hatchery_answer *a, struct err *e)
{
        uint64_t id;
        struct err why = { 0 };
        int r = inflow_take(&h->in, a, &id, &why);
        if (r == 0 || r == INFLOW_MORE)
                return r;

        /* No later byte can be trusted to be part of an answer. */
        h->ended = true;
        h->mute = true;
        inflow_fini(&h->in);
        if (e)
                *e = why;
        return -why.code;
}

/* Waits for events on the socket until the time `end`; a negative `end` means for ever. 0: time is up. */
static int await(struct hatchery *h, short events, int64_t end, struct err *e)
{
        for (;;) {
                int wait = -1;
                if (end >= 0) {
                        int64_t left = end - clock_ms();
                        wait = left < 0 ? 0 : (int)left;
                }
                struct pollfd p = { .fd = h->fd, .events = events };
                int n = poll(&p, 1, wait);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_set(e, errno, "wait for the server");
                return n == 0 ? 0 : p.revents;
        }
}

int hatchery_receive(struct hatchery *h, struct hatchery_answer *a, int timeout_ms, struct err *e)
{
        int64_t end = timeout_ms < 0 ? -1 : clock_ms() + timeout_ms;

        memset(a, 0, sizeof *a);
        for (;;) {
                int r = take(h, a, e);
                if (r != INFLOW_MORE)
                        return r;
                r = fill(h, e);
                if (r < 0)
                        return r;
                if (r == INFLOW_END)
                        return err_say(e, ECONNRESET, "the server closed the connection%s",
                                       h->in.len > 0 ? " in the middle of an answer" : "");
                if (r == INFLOW_BYTES)
                        continue;
                r = await(h, POLLIN, end, e);
                if (r < 0)
                        return r;
                if (r == 0)
                        return HATCHERY_TIMEOUT;
        }
}

/* Waits until the socket takes bytes again, and meanwhile reads incoming bytes: see hatchery_send in hatchery.h. */
static int await_writable(struct hatchery *h, struct err *e)
{
        int events = await(h, POLLIN | POLLOUT, -1, e);
        if (events < 0)
                return events;
        if (!(events & POLLIN))
                return 0;
        int r = fill(h, e);
        if (r == INFLOW_END)
                return err_say(e, EPIPE, "the server closed the connection while the request was being sent");
        return r < 0 ? r : 0;
}

int hatchery_send(struct hatchery *h, const struct request *q, struct err *e)
{
        if (h->mute || h->ended)
                return err_say(e, EPIPE, "the connection is at its end: open another one");

        OWN_MEM uint8_t *frame = NULL;
        size_t len = 0, done = 0;
        int r = outframe_encode(q, h->compress, &frame, &len, e);
        if (r < 0)
                return r;
        while (done < len && r == 0) {
                ssize_t n = send(h->fd, frame + done, len - done, MSG_NOSIGNAL);
                if (n >= 0)
                        done += (size_t)n;
                else if (errno == EAGAIN)
                        r = await_writable(h, e);
                else if (errno == EPIPE || errno == ECONNRESET)
                        r = err_say(e, EPIPE, "the server closed the connection while the request was being sent");
                else if (errno != EINTR)
                        r = err_set(e, errno, "write to the server");
        }
        if (r < 0)
                h->mute = true;
        return r;
}

int hatchery_call(struct hatchery *h, const struct request *q, struct hatchery_answer *a, struct err *e)
{
        struct request with_id = *q;
        if (with_id.id == 0)
                with_id.id = ++h->last_id;

        memset(a, 0, sizeof *a);
        int r = hatchery_send(h, &with_id, e);
        if (r < 0) {
                /* A server may refuse a request before it has read all of it. Then it sends the reason, and closes. */
                struct err unused;
                if (r != -EPIPE || hatchery_receive(h, a, LAST_WORDS_TIMEOUT_MS, &unused) != HATCHERY_OK)
                        return r;
        } else {
                r = hatchery_receive(h, a, -1, e);
                if (r != HATCHERY_OK)
                        return r;
        }
        uint64_t id = a->answer.m.id;
        bool about_connection = id == 0 && a->answer.m.which_answer == hatchery_v1_ServerMessage_error_tag;
        if (id != with_id.id && !about_connection) {
                hatchery_answer_fini(a);
                return err_say(e, EPROTO, "the server answered request %llu, but %llu was asked",
                               (unsigned long long)id, (unsigned long long)with_id.id);
        }
        return HATCHERY_OK;
}
