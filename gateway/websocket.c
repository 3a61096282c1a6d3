/* WebSockets: see websocket.h. */
#include "gateway/websocket.h"

#include "gateway/http_internal.h"
#include "proto/base/clock.h"

#include <errno.h>
#include <nettle/base64.h>
#include <nettle/sha1.h>
#include <stdlib.h>

enum {
        CLOSE_MS = 5000,           /* for the peer's answer to a close frame */
        MOST_UNSENT = 1024 * 1024, /* with more unsent bytes, nothing is read: pings would add answers */
        READ_AHEAD = 64 * 1024,
};

/* wslay reads up to 4 KiB at once, and reports all messages in these bytes. A message that arrives while may_read is
 * false waits here. */
struct waiting {
        STAILQ_ENTRY(waiting) link;
        bool text;
        size_t len;
        uint8_t bytes[];
};

struct websocket {
        STAILQ_HEAD(, waiting) waiting;
        struct exchange *x;
        const struct wslay *lib;
        wslay_event_context_ptr wslay;
        const struct websocket_ops *ops;
        void *data;
        struct event *turn; /* reads on after a hold */
        uint16_t code;
        bool held;
        bool broken; /* there was no memory for a message */
        bool closing;
        bool reading; /* wslay is at work, and must not be freed */
};

static struct bufferevent *bev_of(const struct websocket *ws)
{
        return ws->x->conn->bev;
}

/* ---------------------------------------------------------------- between wslay and the buffers */

/* May the peer's messages be read now? */
static bool may_read(const struct websocket *ws)
{
        return !ws->held && websocket_unsent(ws) < MOST_UNSENT;
}

static ssize_t take_input(wslay_event_context_ptr ctx, uint8_t *to, size_t len, int flags, void *data)
{
        struct websocket *ws = data;
        int n = 0;

        (void)flags;
        if (may_read(ws))
                n = evbuffer_remove(bufferevent_get_input(bev_of(ws)), to, len);
        if (n > 0)
                return n;
        ws->lib->set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
}

static ssize_t put_output(wslay_event_context_ptr ctx, const uint8_t *from, size_t len, int flags, void *data)
{
        struct websocket *ws = data;

        (void)flags;
        if (evbuffer_add(bufferevent_get_output(bev_of(ws)), from, len) == 0)
                return (ssize_t)len;
        ws->lib->set_error(ctx, WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
}

static void tell(struct websocket *ws, bool text, struct span bytes)
{
        if (ws->ops->message && !ws->closing)
                ws->ops->message(ws->data, text, bytes);
}

static void keep(struct websocket *ws, bool text, const uint8_t *bytes, size_t len)
{
        struct waiting *w = malloc(sizeof *w + len);

        if (!w) {
                ws->broken = true;
                return;
        }
        w->text = text;
        w->len = len;
        if (len > 0)
                memcpy(w->bytes, bytes, len);
        STAILQ_INSERT_TAIL(&ws->waiting, w, link);
}

static void tell_waiting(struct websocket *ws)
{
        struct waiting *w;

        while (may_read(ws) && (w = STAILQ_FIRST(&ws->waiting))) {
                STAILQ_REMOVE_HEAD(&ws->waiting, link);
                tell(ws, w->text, (struct span){ w->bytes, w->len });
                free(w);
        }
}

static void received(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *m, void *data)
{
        struct websocket *ws = data;
        bool text = m->opcode == WSLAY_TEXT_FRAME;

        (void)ctx;
        if (m->opcode == WSLAY_CONNECTION_CLOSE)
                ws->code = m->status_code;
        else if (wslay_is_ctrl_frame(m->opcode))
                return;
        else if (may_read(ws) && STAILQ_EMPTY(&ws->waiting))
                tell(ws, text, (struct span){ m->msg ? m->msg : (const uint8_t *)"", m->msg_length });
        else
                keep(ws, text, m->msg, m->msg_length);
}

/* Moves the frames that wslay has queued to the socket's output. */
static int flush(struct websocket *ws)
{
        int r = 0;

        while (r == 0 && ws->lib->want_write(ws->wslay))
                r = ws->lib->send(ws->wslay);
        if (evbuffer_get_length(bufferevent_get_output(bev_of(ws))) > 0)
                bufferevent_enable(bev_of(ws), EV_WRITE);
        return r == 0 ? 0 : -ENOMEM;
}

/* Closes the connection if the close frames are exchanged, or the peer broke the rules, and all bytes are sent. */
static void close_if_over(struct websocket *ws)
{
        if (!ws->reading && !ws->lib->want_read(ws->wslay) && !ws->lib->want_write(ws->wslay) &&
            websocket_unsent(ws) == 0)
                conn_close_gently(ws->x->conn);
}

static void read_on(struct websocket *ws)
{
        struct conn *c = ws->x->conn;

        if (ws->reading)
                return;
        ws->reading = true;
        tell_waiting(ws);
        int r = ws->lib->recv(ws->wslay);
        ws->reading = false;
        /* After a frame that breaks the rules, wslay queues a close frame. After the worst frames, recv also fails. */
        bool sent = flush(ws) == 0;
        bool over = ws->lib->get_close_sent(ws->wslay);
        if (!sent || ws->broken || (r != 0 && !over)) {
                conn_close(c);
                return;
        }
        if (over) {
                ws->closing = true;
                if (c->deadline_ms == 0)
                        c->deadline_ms = clock_ms() + CLOSE_MS;
        }
        close_if_over(ws);
}

/* ---------------------------------------------------------------- callbacks of the bufferevent */

static void readable(struct bufferevent *bev, void *data)
{
        (void)bev;
        read_on(data);
}

static void written(struct bufferevent *bev, void *data)
{
        struct websocket *ws = data;

        (void)bev;
        if (ws->lib->get_close_sent(ws->wslay)) {
                close_if_over(ws);
                return;
        }
        if (ws->ops->drained && !ws->closing)
                ws->ops->drained(ws->data);
        event_active(ws->turn, EV_TIMEOUT, 0); /* reads on, if reading had stopped at MOST_UNSENT */
}

static void failed(struct bufferevent *bev, short what, void *data)
{
        struct websocket *ws = data;

        (void)bev;
        (void)what;
        conn_close(ws->x->conn);
}

static void next_turn(evutil_socket_t fd, short what, void *data)
{
        (void)fd;
        (void)what;
        read_on(data);
}

/* ---------------------------------------------------------------- the handshake */

static int refuse(struct failure *why, int status, const char *text)
{
        failure_set(why, status, "INVALID_ARGUMENT", "%s", text);
        return -EINVAL;
}

static int check_request(struct exchange *x, struct failure *why)
{
        const char *upgrade = exchange_header(x, "Upgrade");
        const char *connection = exchange_header(x, "Connection");
        const char *version = exchange_header(x, "Sec-WebSocket-Version");
        const char *key = exchange_header(x, "Sec-WebSocket-Key");
        struct base64_decode_ctx decoder;
        uint8_t nonce[BASE64_DECODE_LENGTH(24)];
        size_t len = sizeof nonce;

        if (exchange_method(x) != METHOD_GET || x->conn->is_1_0 || !upgrade || !connection ||
            !head_has_token(span_of_text(upgrade), "websocket") ||
            !head_has_token(span_of_text(connection), "upgrade")) {
                exchange_set_header(x, "Upgrade", "websocket");
                return refuse(why, 426, "this path speaks WebSocket: the request must ask for the upgrade");
        }
        if (!version || strcmp(version, "13") != 0) {
                exchange_set_header(x, "Upgrade", "websocket");
                exchange_set_header(x, "Sec-WebSocket-Version", "13");
                return refuse(why, 426, "the version of the WebSocket must be 13");
        }
        base64_decode_init(&decoder);
        if (!key || strlen(key) != 24 || !base64_decode_update(&decoder, &len, nonce, 24, key) ||
            !base64_decode_final(&decoder) || len != 16)
                return refuse(why, 400, "Sec-WebSocket-Key must be 16 bytes in base64");
        return 0;
}

static void answer(struct exchange *x)
{
        static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
        const char *key = exchange_header(x, "Sec-WebSocket-Key");
        char accept[BASE64_ENCODE_RAW_LENGTH(SHA1_DIGEST_SIZE) + 1] = { 0 };
        uint8_t digest[SHA1_DIGEST_SIZE];
        struct sha1_ctx sha1;

        sha1_init(&sha1);
        sha1_update(&sha1, strlen(key), (const uint8_t *)key);
        sha1_update(&sha1, sizeof magic - 1, (const uint8_t *)magic);
        sha1_digest(&sha1, sizeof digest, digest);
        base64_encode_raw(accept, sizeof digest, digest);
        evbuffer_add_printf(bufferevent_get_output(x->conn->bev),
                            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Accept: %s\r\n\r\n",
                            accept);
}

static void take_connection(struct websocket *ws)
{
        struct conn *c = ws->x->conn;

        c->phase = CONN_SOCKET;
        c->deadline_ms = 0;
        bufferevent_setcb(c->bev, readable, written, failed, ws);
        bufferevent_setwatermark(c->bev, EV_READ, 0, READ_AHEAD);
        bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

int websocket_accept(struct websocket **out, struct exchange *x, size_t max_message, const struct websocket_ops *ops,
                     void *data, struct failure *why)
{
        static const struct wslay_event_callbacks callbacks = { .recv_callback = take_input,
                                                                .send_callback = put_output,
                                                                .on_msg_recv_callback = received };
        const struct wslay *lib = &x->conn->listener->server->wslay;
        int r = check_request(x, why);
        if (r < 0)
                return r;
        if (!lib->library) {
                failure_set(why, 501, "UNIMPLEMENTED", "there are no WebSockets here: libwslay is not installed");
                return -EINVAL;
        }
        struct websocket *ws = calloc(1, sizeof *ws);
        if (ws)
                ws->lib = lib;
        if (ws)
                ws->turn = event_new(x->conn->listener->server->base, -1, 0, next_turn, ws);
        if (!ws || !ws->turn || ws->lib->context_server_init(&ws->wslay, &callbacks, ws) != 0) {
                if (ws && ws->turn)
                        event_free(ws->turn);
                free(ws);
                failure_set(why, 503, "RESOURCE_EXHAUSTED", "there is no memory for the connection");
                return -ENOMEM;
        }
        ws->lib->config_set_max_recv_msg_length(ws->wslay, max_message);
        STAILQ_INIT(&ws->waiting);
        ws->x = x;
        ws->ops = ops;
        ws->data = data;
        ws->code = WEBSOCKET_GONE;
        x->socket = ws;
        answer(x);
        take_connection(ws);
        event_active(ws->turn, EV_TIMEOUT, 0); /* frames may have come with the request */
        *out = ws;
        return 0;
}

void websocket_gone(struct websocket *ws)
{
        void (*closed)(void *data, uint16_t code) = ws->ops->closed;
        void *data = ws->data;
        uint16_t code = ws->code;

        ws->x->socket = NULL;
        for (struct waiting *w; (w = STAILQ_FIRST(&ws->waiting));) {
                STAILQ_REMOVE_HEAD(&ws->waiting, link);
                free(w);
        }
        event_free(ws->turn);
        ws->lib->context_free(ws->wslay);
        free(ws);
        if (closed)
                closed(data, code);
}

/* ---------------------------------------------------------------- sending */

static int queue(struct websocket *ws, uint8_t opcode, const void *bytes, size_t len)
{
        const struct wslay_event_msg m = { .opcode = opcode, .msg = bytes, .msg_length = len };

        if (ws->closing)
                return -EPIPE;
        int r = ws->lib->queue_msg(ws->wslay, &m);
        if (r == 0)
                return flush(ws);
        return r == WSLAY_ERR_NO_MORE_MSG ? -EPIPE : -ENOMEM;
}

int websocket_send(struct websocket *ws, bool text, const void *bytes, size_t len)
{
        return queue(ws, text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME, bytes, len);
}

int websocket_ping(struct websocket *ws)
{
        return queue(ws, WSLAY_PING, NULL, 0);
}

size_t websocket_unsent(const struct websocket *ws)
{
        return evbuffer_get_length(bufferevent_get_output(bev_of(ws)));
}

void websocket_hold(struct websocket *ws, bool hold)
{
        ws->held = hold;
        if (!hold)
                event_active(ws->turn, EV_TIMEOUT, 0);
}

void websocket_close(struct websocket *ws, uint16_t code, const char *reason)
{
        if (ws->closing)
                return;
        ws->closing = true;
        ws->held = false; /* reading goes on until the peer's close frame */
        ws->x->conn->deadline_ms = clock_ms() + CLOSE_MS;
        (void)ws->lib->queue_close(ws->wslay, code, (const uint8_t *)reason, reason ? strlen(reason) : 0);
        (void)flush(ws); /* without memory for the frame, the deadline closes the connection */
        event_active(ws->turn, EV_TIMEOUT, 0);
}
