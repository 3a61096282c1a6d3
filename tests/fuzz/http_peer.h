/* A gateway's HTTP server inside a fuzzer, and a client of it. The two are connected by a socket, so the bytes take the
 * way that they take in a worker: evhttp, http_conn.c, http_intake.c, http_reply.c and websocket.c. */
#pragma once

#include "gateway/http_internal.h"

#include <sys/un.h>

/* The handlers get it by exchange_gateway(). A fuzzer's own state follows it in memory. */
struct gateway {
        struct event_base *base;
        struct http_server *server;
        int log_fd; /* a file; nothing may be logged */
        struct sockaddr_un address;
        socklen_t address_len;
};

/* One connection, and all that the server has sent on it. */
struct http_talk {
        struct gateway *gateway;
        int fd;
        bool closed; /* by the server */
        uint8_t *got;
        size_t len, room;
};

/* To be called once. The server lives until the process ends. */
void http_peer_start(struct gateway *g, const struct contract *contract);

void http_talk_begin(struct http_talk *t, struct gateway *g);

/* Sends the bytes, and lets the server work until it has nothing more to do. seed: 0: the bytes are sent at once; else
 * they are sent in pieces, whose sizes follow from the seed. */
void http_talk_send(struct http_talk *t, const uint8_t *bytes, size_t len, uint8_t seed);

/* Lets the server work until it has nothing more to do. */
void http_talk_pump(struct http_talk *t);

/* Closes the sending side. Checks that the server closes the connection and holds nothing for it any more. */
void http_talk_end(struct http_talk *t);

void http_talk_fini(struct http_talk *t);
