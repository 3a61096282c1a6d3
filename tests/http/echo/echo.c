/* A gateway worker with a contract of its own and no pool: tests/http/ tests HTTP with it. It prints its address, and
 * drains at the end of its standard input.
 *
 *     /echo       POST: answers the parts of the request, as JSON
 *     /get        GET: the same, without a body
 *     /item/NAME  GET: answers the segment NAME
 *     /wait       GET: answers after ?ms=, and counts the clients that are gone before
 *     /gone       GET: answers that count, to which /stream and /ws add, too
 *     /stream     GET: sends ?n= pieces of ?size= bytes, each after the socket has taken the piece before
 *     /counts     GET: answers the numbers of connections and exchanges, and the memory held
 *     /ws         WebSocket: sends messages back; "close CODE", "hold", "big N" and "ping" are commands */
#include "gateway/http_internal.h" /* for counts that no contract needs */
#include "gateway/websocket.h"
#include "gateway/worker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static unsigned speed = 1; /* of the clock, so that no test waits for long timeouts */

/* The linker replaces clock_ms by __wrap_clock_ms. */
int64_t __real_clock_ms(void);
int64_t __wrap_clock_ms(void);

int64_t __wrap_clock_ms(void)
{
        return __real_clock_ms() * speed;
}

static unsigned gone_count; /* of the whole program, which has one worker */

static unsigned long number(const struct exchange *x, const char *name, unsigned long otherwise)
{
        const char *text = exchange_query(x, name);
        return text ? strtoul(text, NULL, 10) : otherwise;
}

static void fail(struct exchange *x, const struct failure *why)
{
        exchange_reply_json(x, why->status,
                            json_pack("{s:{s:s, s:s}}", "error", "code", why->code, "message", why->message));
}

static const char *or_empty(const char *text)
{
        return text ? text : "";
}

static void handle_echo(struct exchange *x)
{
        struct span body = exchange_body(x);
        json_t *text = body.len < 4096 ? json_stringn(body.data ? (const char *)body.data : "", body.len) : json_null();

        exchange_reply_json(x, 200,
                            json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:o, s:i}", "method", (int)exchange_method(x),
                                      "path", exchange_path(x), "query", or_empty(exchange_query(x, "q")), "type",
                                      exchange_media_type(x), "trace", exchange_trace(x), "length",
                                      (json_int_t)body.len, "body", text ? text : json_null(), "peer",
                                      (int)exchange_peer(x).len));
}

static void handle_item(struct exchange *x)
{
        exchange_reply_json(x, 200, json_pack("{s:s}", "segment", exchange_segment(x)));
}

static void handle_gone(struct exchange *x)
{
        exchange_reply_json(x, 200, json_pack("{s:i}", "gone", (int)gone_count));
}

static void handle_counts(struct exchange *x)
{
        struct http_counts n = http_server_counts(x->conn->listener->server);
        exchange_reply_json(x, 200,
                            json_pack("{s:i, s:i, s:I}", "connections", (int)n.connections, "exchanges",
                                      (int)n.exchanges, "held", (json_int_t)n.held));
}

/* ---------------------------------------------------------------- /wait */

struct waiter {
        struct exchange *x;
        struct event *timer;
};

static void waiter_free(struct waiter *w)
{
        event_free(w->timer);
        free(w);
}

static void wait_over(evutil_socket_t fd, short what, void *data)
{
        struct waiter *w = data;

        (void)fd;
        (void)what;
        exchange_reply_json(w->x, 200, json_pack("{s:b}", "waited", 1));
        waiter_free(w);
}

static void wait_gone(void *data)
{
        gone_count++;
        waiter_free(data);
}

static void handle_wait(struct exchange *x)
{
        struct waiter *w = calloc(1, sizeof *w);
        unsigned long ms = number(x, "ms", 100);

        if (!w)
                abort();
        w->x = x;
        w->timer = evtimer_new(gateway_base(exchange_gateway(x)), wait_over, w);
        struct timeval delay = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };
        evtimer_add(w->timer, &delay);
        exchange_on_gone(x, wait_gone, w);
}

/* ---------------------------------------------------------------- /stream */

struct stream {
        struct exchange *x;
        unsigned long pieces, size;
        char *bytes;
};

static void stream_free(struct stream *s)
{
        free(s->bytes);
        free(s);
}

static void stream_gone(void *data)
{
        gone_count++;
        stream_free(data);
}

static void stream_more(void *data)
{
        struct stream *s = data;

        if (s->pieces == 0) {
                exchange_stream_end(s->x);
                stream_free(s);
                return;
        }
        s->pieces--;
        (void)exchange_stream_write(s->x, s->bytes, s->size);
}

static void handle_stream(struct exchange *x)
{
        struct stream *s = calloc(1, sizeof *s);

        if (!s)
                abort();
        s->x = x;
        s->pieces = number(x, "n", 3);
        s->size = number(x, "size", 10);
        s->bytes = malloc(s->size + 1);
        memset(s->bytes, 'x', s->size);
        exchange_on_gone(x, stream_gone, s);
        exchange_on_drained(x, stream_more, s);
        exchange_set_header(x, "Cache-Control", "no-store");
        (void)exchange_stream_begin(x, 200, "text/plain");
        stream_more(s);
        if (exchange_method(x) == METHOD_HEAD) {
                exchange_stream_end(x);
                stream_free(s);
        }
}

/* ---------------------------------------------------------------- /ws */

struct talk {
        struct websocket *ws;
        struct event *timer;
};

static void talk_release(evutil_socket_t fd, short what, void *data)
{
        struct talk *t = data;

        (void)fd;
        (void)what;
        websocket_hold(t->ws, false);
}

static void talk_message(void *data, bool text, struct span bytes)
{
        struct talk *t = data;
        char word[32] = { 0 };

        memcpy(word, bytes.data, bytes.len < sizeof word - 1 ? bytes.len : sizeof word - 1);
        if (text && strncmp(word, "close ", 6) == 0) {
                websocket_close(t->ws, (uint16_t)atoi(word + 6), "as you say");
        } else if (text && strncmp(word, "big ", 4) == 0) {
                size_t n = strtoul(word + 4, NULL, 10);
                char *big = malloc(n);
                memset(big, 'b', n);
                (void)websocket_send(t->ws, true, big, n);
                free(big);
        } else if (text && strcmp(word, "ping") == 0) {
                (void)websocket_ping(t->ws);
        } else if (text && strcmp(word, "hold") == 0) {
                websocket_hold(t->ws, true);
                evtimer_add(t->timer, &(struct timeval){ .tv_usec = 200 * 1000 });
        } else {
                (void)websocket_send(t->ws, text, bytes.data, bytes.len);
        }
}

static void talk_closed(void *data, uint16_t code)
{
        struct talk *t = data;

        (void)code;
        gone_count++;
        event_free(t->timer);
        free(t);
}

static void handle_ws(struct exchange *x)
{
        static const struct websocket_ops ops = { .message = talk_message, .closed = talk_closed };
        struct talk *t = calloc(1, sizeof *t);
        struct failure why;

        if (!t)
                abort();
        t->timer = evtimer_new(gateway_base(exchange_gateway(x)), talk_release, t);
        if (websocket_accept(&t->ws, x, 1 << 20, &ops, t, &why) < 0) {
                event_free(t->timer);
                free(t);
                exchange_fail(x, &why);
        }
}

static const struct route routes[] = {
        { "/echo", METHOD_POST | METHOD_PUT, true, false, handle_echo },
        { "/get", METHOD_GET, false, false, handle_echo },
        { "/item/*", METHOD_GET, false, false, handle_item },
        { "/wait", METHOD_GET | METHOD_POST, true, false, handle_wait },
        { "/gone", METHOD_GET, false, false, handle_gone },
        { "/stream", METHOD_GET, false, false, handle_stream },
        { "/counts", METHOD_GET, false, false, handle_counts },
        { "/ws", METHOD_GET, false, true, handle_ws },
};

static const struct contract echo = { "echo", routes, sizeof routes / sizeof routes[0], fail };

static int listen_somewhere(char *address, size_t size)
{
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof in;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0 || bind(fd, (struct sockaddr *)&in, sizeof in) < 0 || listen(fd, 4096) < 0 ||
            getsockname(fd, (struct sockaddr *)&in, &len) < 0)
                return -1;
        snprintf(address, size, "127.0.0.1:%u", (unsigned)ntohs(in.sin_port));
        return fd;
}

/* Usage: echo [MEMORY [MAX_REQUEST_BYTES [ORIGIN [HOST [SPEED]]]]]; an empty ORIGIN or HOST: none */
int main(int argc, char **argv)
{
        static const struct contract *const contracts[] = { &echo };
        char name[] = "echo", *names[] = { name, NULL };
        char *origins[] = { argc > 3 && *argv[3] ? argv[3] : NULL, NULL };
        char *hosts[] = { argc > 4 && *argv[4] ? argv[4] : NULL, NULL };
        char address[64];
        struct gateway_listener listener = {
                .address = address, .contracts = names, .hosts = hosts, .origins = origins
        };
        const struct gateway_options options = { .listeners = &listener,
                                                 .n_listeners = 1,
                                                 .control_fd = 0,
                                                 .max_memory = argc > 1 ? strtoull(argv[1], NULL, 10) : 256 << 20,
                                                 .max_request_bytes =
                                                         argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 16 << 20,
                                                 .log_level = LOG_LEVEL_INFO,
                                                 .root_fd = -1 };

        if (argc > 5)
                speed = (unsigned)strtoul(argv[5], NULL, 10);
        listener.fd = listen_somewhere(address, sizeof address);
        if (listener.fd < 0) {
                perror("echo");
                return 1;
        }
        printf("%s\n", address);
        fflush(stdout);
        return gateway_serve(&options, &(struct gateway_parts){ .contracts = contracts, .n_contracts = 1 });
}
