/* Declarations that only http*.c and websocket.c share.
 *
 * http_intake.c reads a connection until a request is whole, checked and admitted. Only then evhttp gets the request's
 * bytes, all at once. The reasons: evhttp 2.1 has no hook between the head and the body, and answers bad requests with
 * pages of its own. It does not bound the lines of chunks, nor the bytes that come behind a request. evhttp parses the
 * request, writes the answer, and keeps or closes the connection. To hand a connection over, http*.c swap the
 * bufferevent's callbacks. They use evhttp's public interface only. */
#pragma once

#include "gateway/guard.h"
#include "gateway/http.h"
#include "gateway/http_chunked.h"
#include "gateway/http_head.h"
#include "gateway/http_server.h"
#include "gateway/wslay.h"
#include "proto/base/peer.h"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <sys/queue.h>

enum {
        CONN_IDLE_MS = 75 * 1000,  /* a connection that is kept open without a request */
        CONN_HEAD_MS = 10 * 1000,  /* from the first byte of a head to the head's last byte */
        CONN_BODY_MS = 30 * 1000,  /* a body without a further byte */
        CONN_STALL_MS = 60 * 1000, /* an answer, while the peer takes no byte */
        CONN_LINGER_MS = 5 * 1000, /* after a refusal: what the peer still sends is thrown away */
        CONN_BEHIND = 16 * 1024,   /* bytes that are read ahead behind a request */
        CONN_COST = 8 * 1024,      /* memory of an idle connection, without the kernel's part */
};

enum conn_phase {
        CONN_NEW,      /* evhttp is setting it up */
        CONN_HEAD,     /* reading a head, or idle */
        CONN_BODY,     /* reading a body whose length is known */
        CONN_CHUNKED,  /* reading a chunked body */
        CONN_PASSING,  /* evhttp is parsing the request */
        CONN_EXCHANGE, /* a handler has the request: x */
        CONN_ANSWERED, /* the rest of the answer is being written */
        CONN_SOCKET,   /* the connection is a WebSocket now: x */
        CONN_NEXT,     /* the answer is written; the next request comes */
        CONN_LINGER,   /* evhttp has freed its connection; the peer is still sending */
        CONN_DEAD,     /* closed, and freed on the next turn of the loop */
};

struct http_listener {
        struct http_server *server;
        struct evhttp *http;
        struct evconnlistener *listener; /* owned by http */
        struct guard guard;
        const struct contract **contracts;
        size_t n_contracts;
};

struct conn {
        TAILQ_ENTRY(conn) link; /* in the server's conns; a connection that becomes idle goes to the end */
        struct http_listener *listener;
        enum conn_phase phase;
        bool counted;                                  /* in n_conns */
        struct bufferevent *bev;                       /* one reference; it closes the socket */
        struct evhttp_connection *evcon;               /* NULL: evhttp has freed it */
        struct event *turn;                            /* runs conn_turn on the next turn of the loop */
        bufferevent_data_cb evhttp_read, evhttp_write; /* evhttp's own, set while it parses */
        bufferevent_event_cb evhttp_event;
        struct peer peer;

        int64_t deadline_ms; /* for reading; 0: none */
        int64_t moved_ms;    /* when the peer last took bytes of an answer */
        bool full;           /* a piece of a stream was written, and the socket has not asked for more since */

        size_t scanned; /* bytes of the head that were looked at */
        size_t need;    /* bytes of head and body, if the length is known */
        struct chunked chunked;
        struct evbuffer *head; /* of a request with chunks, while they are read */
        struct evbuffer *body; /* the data of the chunks */
        struct evbuffer *rest; /* bytes that came behind a request while its answer was written */
        enum method verb;
        const struct contract *contract;
        const struct route *route; /* NULL: the request is refused or a preflight */
        struct failure *refusal;   /* NULL: none */
        bool is_1_0;               /* the request speaks HTTP/1.0 */
        bool close;                /* close the connection after this answer */
        bool linger;               /* the peer may still be sending a body */

        struct exchange *x;
};

TAILQ_HEAD(conn_list, conn);

struct http_server {
        struct gateway *gateway;
        struct event_base *base;
        const struct log *log;
        struct wslay wslay;
        uint64_t max_body;
        uint64_t max_memory;
        size_t max_conns;
        struct http_listener *listeners;
        size_t n_listeners;
        struct conn_list conns;
        size_t n_conns;
        uint64_t held; /* bytes of connections, requests and unsent answers */
        size_t n_exchanges;
        struct conn *passing; /* the connection whose request evhttp is parsing now */
        struct evbuffer *scratch;
        int64_t now_ms; /* of the last tick or callback */
        bool draining;
};

struct websocket;

struct exchange {
        struct conn *conn;
        struct evhttp_request *req;
        char *path;
        char *segment;
        struct evkeyvalq query;
        bool has_query; /* query was parsed */
        bool streaming;
        size_t body_held; /* bytes counted in the server's held */
        char *media_type;
        char trace[56];
        struct websocket *socket;
        void (*drained)(void *data);
        void *drained_data;
        void (*gone)(void *data);
        void *gone_data;
};

/* ---------------------------------------------------------------- http_conn.c, http_intake.c */

/* evhttp's bevcb; data is the listener. NULL: no memory, or there are too many connections. */
struct bufferevent *conn_accept(struct event_base *base, void *data);

/* A buffer whose bytes are counted in the server's held. NULL: no memory. */
struct evbuffer *conn_buffer(struct conn *c);

/* Starts to read a request. Bytes that came behind the last request are taken first. */
void conn_begin(struct conn *c);

/* The readable callback while a request is read. */
void conn_read(struct bufferevent *bev, void *data);

/* Refuses the request that is being read, by the contract's `fail`. Nothing more of the request is read. */
void conn_refuse(struct conn *c, const struct failure *why);

/* Gives the request to evhttp. The whole request is in the input. */
void conn_pass(struct conn *c);

/* evhttp's gencb: evhttp has parsed the request. */
void conn_request(struct evhttp_request *req, void *data);

/* Closes at once. The handler's `gone` is called (exchange_gone). */
void conn_close(struct conn *c);

/* Closes an upgraded connection whose output is sent. First reads and drops what the peer still sends. */
void conn_close_gently(struct conn *c);

/* Looks at the deadlines. */
void conn_tick(struct conn *c, int64_t now_ms);

bool conn_is_idle(const struct conn *c);

/* ---------------------------------------------------------------- http_route.c */

/* Finds the contract and the route of a target. Without a route for the method, the request is refused. c->contract is
 * set in any case. Returns 0, or -EINVAL with why. */
int route_find(struct conn *c, const struct head *h, struct failure *why);

/* Writes the methods that the path has, in the form of the header Allow. */
void route_allow(const struct http_listener *l, const char *path, char text[64]);

/* The part of path that "*" of the route stands for, and its length *len. "" if the route has no "*". NULL: the path is
 * not the route's. */
const char *route_match(const char *pattern, const char *path, size_t *len);

/* ---------------------------------------------------------------- http_exchange.c */

/* NULL: no memory. */
struct exchange *exchange_new(struct conn *c, struct evhttp_request *req);

/* Frees the exchange: the answer is complete, or the connection is gone. No callback is called. */
void exchange_end(struct exchange *x);

/* The connection is gone: tells the handler, and frees the exchange. */
void exchange_gone(struct exchange *x);

/* ---------------------------------------------------------------- http_reply.c */

/* Answers OPTIONS, by which a browser asks whether a page may use the path. */
void reply_preflight(struct exchange *x);

/* ---------------------------------------------------------------- websocket.c */

/* The connection of an upgraded exchange is gone. */
void websocket_gone(struct websocket *ws);
