/* The interface between the parts of a connection: private to connection*.c and call.c. */
#pragma once

#include "pool/native/connection.h"

/* ---------------------------------------------------------------- connection.c */

/* Gives up a connection, for instance because it is broken. Functions on the stack may still use the connection, so the
 * connection is freed later, in a turn of its own. */
void connection_doom(struct connection *c);

/* Tells the budget how much memory the connection holds now. */
void connection_weigh(struct connection *c);

/* Begins to linger: all answers are sent, and no answer follows. */
void connection_linger(struct connection *c);

/* ---------------------------------------------------------------- connection_read.c */

/* Watches the socket for bytes. If reads is false, watches only for the peer's end, which ends the executions. */
int connection_watch(struct connection *c, bool reads);

/* Chooses the next step: to read more, to wait for a turn to handle bytes that were read, or to wait until answers were
 * sent. */
void connection_go_on(struct connection *c);

/* Handles a piece of the bytes that were read before. True: a large request has more to unpack. */
bool connection_read_turn(struct connection *c);

/* The size of the memory for bytes that were read and not handled yet. The second function frees this memory. */
size_t connection_unread(const struct connection *c);
void connection_drop_unread(struct connection *c);

/* ---------------------------------------------------------------- connection_write.c */

/* The number of bytes that wait for the client, those in outboxes too. The second function frees them. */
size_t connection_unsent(const struct connection *c);
void connection_drop_unsent(struct connection *c);

/* Puts a frame behind all that waits for the socket already. Takes frame over; its first bytes have been sent.
 * -ENOMEM. */
int connection_keep(struct connection *c, uint8_t *frame, size_t len, size_t sent);

/* Calls ops->has_room as soon as the socket takes bytes. */
void connection_await_room(struct connection *c);

void connection_on_writable(evutil_socket_t fd, short what, void *arg);
