/* A WebSocket (RFC 6455) in place of an exchange's answer. wslay reads and writes the frames: it checks them, answers
 * pings, and joins fragments. No extension and no subprotocol is agreed on.
 *
 * The exchange lives as long as the WebSocket: exchange_peer, exchange_on_gone and the like go on working. Nothing may
 * be answered by exchange_reply and its like any more. exchange_unsent counts the WebSocket's bytes. */
#pragma once

#include "gateway/http.h"

struct websocket;

enum { WEBSOCKET_GONE = 1006 }; /* the code of a connection that closed without saying so */

/* Any may be NULL. closed is the last call, and comes once: the WebSocket must not be used from then on. If the
 * exchange has a `gone`, it is called after closed. */
struct websocket_ops {
        void (*message)(void *data, bool text, struct span bytes); /* valid during the call */
        void (*drained)(void *data);                               /* the socket has taken all that was sent */
        void (*closed)(void *data,
                       uint16_t code); /* code: of the peer's close frame; 0: it had none; or WEBSOCKET_GONE */
};

/* Answers the upgrade. Messages longer than max_message end the WebSocket with code 1009. -EINVAL or -ENOMEM: why is
 * filled, and the exchange is still to be answered. No callback comes before this returns. */
int websocket_accept(struct websocket **out, struct exchange *x, size_t max_message, const struct websocket_ops *ops,
                     void *data, struct failure *why);

/* Sends a message; text must be UTF-8. -EPIPE: it is closing. -ENOMEM. */
int websocket_send(struct websocket *ws, bool text, const void *bytes, size_t len);

/* Sends a ping, so that proxies see that the connection is in use. -EPIPE, -ENOMEM. */
int websocket_ping(struct websocket *ws);

/* Bytes that the socket has not taken yet. */
size_t websocket_unsent(const struct websocket *ws);

/* With hold, no message comes until it is called without; the peer is slowed down. May be called in `message`. Without
 * hold, messages that have come already are told on the loop's next turn. */
void websocket_hold(struct websocket *ws, bool hold);

/* Sends a close frame, and closes when the peer has answered it, or after 5 s. reason: at most 123 bytes of UTF-8, or
 * NULL. No message comes any more; closed still does. A second call does nothing. */
void websocket_close(struct websocket *ws, uint16_t code, const char *reason);
