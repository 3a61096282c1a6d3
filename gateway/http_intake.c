/* Reading a request from a connection: its head, the decision whether it may come in, its body. A body is read only
 * after the request was admitted. evhttp gets a request when the request is whole (conn_pass). */
#include "gateway/http_internal.h"

#include "proto/base/clock.h"

#include <errno.h>

static bool over_memory(const struct http_server *s, uint64_t more)
{
        return more > s->max_memory || s->held > s->max_memory - more;
}

static void refuse_for_memory(struct conn *c)
{
        struct failure why;

        failure_set(&why, 503, "RESOURCE_EXHAUSTED", "the server holds as many requests as its memory allows");
        why.retry_after_ms = 1000;
        conn_refuse(c, &why);
}

/* ---------------------------------------------------------------- refusals */

/* Copies the head without the headers that announce a body, and with Connection: close. */
static int write_head_without_body(struct evbuffer *to, const struct head *h)
{
        static const char *const dropped[] = { "Content-Length", "Transfer-Encoding", "Expect", "Connection",
                                               "Upgrade" };
        struct span rest = h->fields, line, name, value;
        int r = evbuffer_add_printf(to, "%.*s %.*s HTTP/1.%c\r\n", (int)h->method.len, (const char *)h->method.data,
                                    (int)h->target.len, (const char *)h->target.data, h->is_1_0 ? '0' : '1');

        while (r >= 0 && head_next(&rest, &line, &name, &value)) {
                bool drop = false;
                for (size_t i = 0; i < sizeof dropped / sizeof dropped[0]; i++)
                        drop |= head_is(name, dropped[i]);
                if (!drop)
                        r = evbuffer_add(to, line.data, line.len);
        }
        return r < 0 ? r : evbuffer_add_printf(to, "Connection: close\r\n\r\n");
}

/* Reads the head of the current request again. False: the head isn't whole, or it is bad. */
static bool read_again(struct conn *c, struct head *h)
{
        struct evbuffer *in = c->head ? c->head : bufferevent_get_input(c->bev);
        size_t len = evbuffer_get_length(in), scanned = 0;
        struct failure ignored;

        len = len < HEAD_MAX ? len : HEAD_MAX;
        const uint8_t *bytes = len > 0 ? evbuffer_pullup(in, (ev_ssize_t)len) : NULL;
        return bytes && head_read(h, (struct span){ bytes, len }, &scanned, &ignored) == 0;
}

/* Replaces the input by a request without a body, so that evhttp writes the answer. */
static bool replace_request(struct conn *c)
{
        static const char nothing[] = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
        struct evbuffer *in = bufferevent_get_input(c->bev), *made = conn_buffer(c);
        struct head h;

        if (!made)
                return false;
        int r = read_again(c, &h) ? write_head_without_body(made, &h) : evbuffer_add(made, nothing, sizeof nothing - 1);
        if (r >= 0) {
                evbuffer_drain(in, evbuffer_get_length(in));
                r = evbuffer_prepend_buffer(in, made);
        }
        evbuffer_drain(made, evbuffer_get_length(made));
        evbuffer_free(made);
        return r >= 0;
}

void conn_refuse(struct conn *c, const struct failure *why)
{
        c->refusal = malloc(sizeof *c->refusal);
        if (!c->contract)
                c->contract = c->listener->contracts[0];
        c->close = true;
        c->linger = true;
        if (!c->refusal || !replace_request(c)) {
                conn_close(c);
                return;
        }
        if (c->body) /* chunks that came before the refusal; the connection may linger for seconds */
                evbuffer_drain(c->body, evbuffer_get_length(c->body));
        *c->refusal = *why;
        conn_pass(c);
}

/* ---------------------------------------------------------------- the body */

static void send_continue(struct conn *c)
{
        static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";

        if (evbuffer_add(bufferevent_get_output(c->bev), line, sizeof line - 1) < 0)
                conn_close(c);
        else
                bufferevent_enable(c->bev, EV_WRITE);
}

static void read_body(struct conn *c)
{
        size_t have = evbuffer_get_length(bufferevent_get_input(c->bev));

        c->deadline_ms = clock_ms() + CONN_BODY_MS;
        if (have >= c->need)
                conn_pass(c);
        else if (over_memory(c->listener->server, 0))
                refuse_for_memory(c);
}

/* Replaces the chunked request by one with Content-Length, because the body's length is known now. */
static void pass_chunked(struct conn *c)
{
        struct evbuffer *in = bufferevent_get_input(c->bev), *made = conn_buffer(c);
        struct span rest, line, name, value;
        struct head h;

        if (!made || !read_again(c, &h)) {
                if (made)
                        evbuffer_free(made);
                conn_close(c);
                return;
        }
        int r = evbuffer_add(made, h.method.data, (size_t)(h.fields.data - h.method.data));
        rest = h.fields;
        while (r >= 0 && head_next(&rest, &line, &name, &value))
                if (!head_is(name, "Transfer-Encoding") && !head_is(name, "Expect"))
                        r = evbuffer_add(made, line.data, line.len);
        if (r >= 0)
                r = evbuffer_add_printf(made, "Content-Length: %zu\r\n\r\n", evbuffer_get_length(c->body));
        if (r >= 0)
                r = evbuffer_add_buffer(made, c->body);
        if (r >= 0)
                r = evbuffer_prepend_buffer(in, made);
        evbuffer_drain(made, evbuffer_get_length(made));
        evbuffer_free(made);
        if (r < 0)
                conn_close(c);
        else
                conn_pass(c);
}

static void read_chunks(struct conn *c)
{
        struct http_server *s = c->listener->server;
        struct failure why;

        c->deadline_ms = clock_ms() + CONN_BODY_MS;
        int r = chunked_read(&c->chunked, bufferevent_get_input(c->bev), c->body, s->max_body);
        if (r == 0) {
                pass_chunked(c);
        } else if (over_memory(s, 0)) {
                refuse_for_memory(c);
        } else if (r == -EMSGSIZE) {
                failure_set(&why, 413, "INVALID_ARGUMENT", "the body is longer than %llu bytes",
                            (unsigned long long)s->max_body);
                conn_refuse(c, &why);
        } else if (r != CHUNKED_MORE) {
                failure_set(&why, 400, "INVALID_ARGUMENT", "the body's chunks are malformed");
                conn_refuse(c, &why);
        }
}

static void begin_chunks(struct conn *c, const struct head *h)
{
        c->head = conn_buffer(c);
        c->body = conn_buffer(c);
        if (!c->head || !c->body ||
            evbuffer_remove_buffer(bufferevent_get_input(c->bev), c->head, h->size) != (int)h->size) {
                conn_close(c);
                return;
        }
        c->phase = CONN_CHUNKED;
        if (h->expects && evbuffer_get_length(bufferevent_get_input(c->bev)) == 0)
                send_continue(c);
        read_chunks(c);
}

/* ---------------------------------------------------------------- the head */

static int check_body(struct conn *c, const struct head *h, struct failure *why)
{
        struct http_server *s = c->listener->server;

        if (!h->chunked && h->length == 0)
                return 0;
        if (!c->route || !c->route->has_body || !(h->verb & (METHOD_POST | METHOD_PUT | METHOD_DELETE))) {
                failure_set(why, 413, "INVALID_ARGUMENT", "a request for this path has no body");
                return -EINVAL;
        }
        if (h->length > s->max_body) {
                failure_set(why, 413, "INVALID_ARGUMENT", "the body is longer than %llu bytes",
                            (unsigned long long)s->max_body);
                return -EINVAL;
        }
        if (over_memory(s, h->length)) {
                failure_set(why, 503, "RESOURCE_EXHAUSTED", "the server holds as many requests as its memory allows");
                why->retry_after_ms = 1000;
                return -EINVAL;
        }
        return 0;
}

static int admit(struct conn *c, const struct head *h, struct failure *why)
{
        int r = guard_check(&c->listener->guard, h->host, h->origin, why);
        int found =
                route_find(c, h, r == 0 ? why : &(struct failure){ 0 }); /* whose shape a refusal has, in any case */

        if (r == 0)
                r = found;
        return r < 0 ? r : check_body(c, h, why);
}

static void take_head(struct conn *c, const struct head *h)
{
        bool has_body = h->chunked || h->length > 0;
        struct failure why;

        c->verb = h->verb;
        c->is_1_0 = h->is_1_0;
        c->close = h->closes;
        if (admit(c, h, &why) < 0) {
                if (has_body) {
                        conn_refuse(c, &why);
                        return;
                }
                c->route = NULL;
                c->refusal = malloc(sizeof *c->refusal);
                if (!c->refusal) {
                        conn_close(c);
                        return;
                }
                *c->refusal = why;
                conn_pass(c);
        } else if (h->chunked) {
                begin_chunks(c, h);
        } else {
                struct evbuffer *in = bufferevent_get_input(c->bev);
                c->need = h->size + (size_t)h->length;
                c->phase = CONN_BODY;
                if (h->expects && evbuffer_get_length(in) < c->need)
                        send_continue(c);
                read_body(c);
        }
}

/* Removes empty lines before a request, which are allowed and ignored. Were there any? */
static bool skip_empty_lines(struct evbuffer *in)
{
        bool skipped = false;
        char two[2];

        while (evbuffer_copyout(in, two, 2) == 2 && two[0] == '\r' && two[1] == '\n') {
                evbuffer_drain(in, 2);
                skipped = true;
        }
        return skipped;
}

static void read_head(struct conn *c)
{
        struct evbuffer *in = bufferevent_get_input(c->bev);
        struct failure why;
        struct head h;

        /* If head_read has looked at one byte only, that byte may be the CR of an empty line. */
        if (c->scanned <= 1 && skip_empty_lines(in))
                c->scanned = 0;
        size_t len = evbuffer_get_length(in);
        if (len == 0)
                return;
        if (c->scanned == 0)
                c->deadline_ms = clock_ms() + CONN_HEAD_MS;
        len = len < HEAD_MAX + 1 ? len : HEAD_MAX + 1;
        const uint8_t *bytes = evbuffer_pullup(in, (ev_ssize_t)len);
        int r = bytes ? head_read(&h, (struct span){ bytes, len }, &c->scanned, &why) : -ENOMEM;
        if (r == -ENOMEM)
                conn_close(c);
        else if (r < 0)
                conn_refuse(c, &why);
        else if (r == 0)
                take_head(c, &h);
}

void conn_read(struct bufferevent *bev, void *data)
{
        struct conn *c = data;

        (void)bev;
        switch (c->phase) {
        case CONN_HEAD:
                read_head(c);
                break;
        case CONN_BODY:
                read_body(c);
                break;
        case CONN_CHUNKED:
                read_chunks(c);
                break;
        default:
                break;
        }
}
