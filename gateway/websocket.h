/* A WebSocket (RFC 6455) in place of an exchange's answer. wslay reads and writes the frames: it checks them, answers
 * pings, and joins fragments. No extension and no subprotocol is agreed on.
 *
 * The exchange lives as long as the WebSocket. exchange_peer, exchange_on_gone and similar functions go on working.
 * exchange_reply and the other functions that answer must not be called any more. exchange_unsent counts the
 * WebSocket's bytes. */
#pragma once

#include "gateway/http.h"

struct websocket;

enum { WEBSOCKET_GONE = 1006 }; /* the code of a connection that closed without saying so */

/* Any callback may be NULL. closed is the last callback, and comes once. From then on the WebSocket must not be used.
 * If the exchange has a `gone`, it is called after closed. */
struct websocket_ops {
        void (*message)(void *data, bool text, struct span bytes); /* valid during the call */
        void (*drained)(void *data);                               /* the socket has taken all that was sent */
        void (*closed)(void *data, uint16_t code); /* the peer's close code; 0: its frame had none; or WEBSOCKET_GONE */
};

/* Answers the upgrade. Messages longer than max_message end the WebSocket with code 1009. -EINVAL or -ENOMEM: why is
 * filled, and the exchange is still to be answered. No callback comes before this returns. */
int websocket_accept(struct websocket **out, struct exchange *x, size_t max_message, const struct websocket_ops *ops,
                     void *data, struct failure *why);

/* Sends a message. Text must be UTF-8. -EPIPE: the WebSocket is closing. -ENOMEM. */
int websocket_send(struct websocket *ws, bool text, const void *bytes, size_t len);

/* Sends a ping, so that proxies see that the connection is in use. -EPIPE, -ENOMEM. */
int websocket_ping(struct websocket *ws);

/* Bytes that the socket has not taken yet. */
size_t websocket_unsent(const struct websocket *ws);

/* With hold true, no message comes until a call with hold false. This slows the peer down. May be called in `message`.
 * After a call with hold false, messages that wait are told on the loop's next turn. If the peer closes before, they
 * are dropped. */
void websocket_hold(struct websocket *ws, bool hold);

/* Sends a close frame. The connection closes when the peer has answered the frame, or after 5 s. reason: at most 123
 * bytes of UTF-8, or NULL. No message comes any more; closed is still called. A second call does nothing. */
void websocket_close(struct websocket *ws, uint16_t code, const char *reason);
