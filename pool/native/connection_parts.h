/* What the parts of a connection say to each other: private to connection*.c and call.c. */
#pragma once

#include "pool/native/connection.h"

/* ---------------------------------------------------------------- connection.c */

/* The connection is broken or given up. Whoever finds that may be deep in calls that still look at the connection, so
 * it is freed later, in a turn of its own. */
void connection_doom(struct connection *c);

/* Tells the budget how much memory it holds now. */
void connection_weigh(struct connection *c);

/* All is sent, and nothing more will be. */
void connection_linger(struct connection *c);

/* ---------------------------------------------------------------- connection_read.c */

/* Watches the socket: for bytes, or for the peer's end alone, since its executions are to end with it. */
int connection_watch(struct connection *c, bool reads);

/* What comes next: more is read, or what was read has its turn, or answers have to leave first. */
void connection_go_on(struct connection *c);

/* A piece of what was read and not looked at yet. True: of a large request, there is more to unpack. */
bool connection_read_turn(struct connection *c);

/* How much memory that holds; and its end. */
size_t connection_unread(const struct connection *c);
void connection_drop_unread(struct connection *c);

/* ---------------------------------------------------------------- connection_write.c */

/* How much waits for the client to take it; and its end. */
size_t connection_unsent(const struct connection *c);
void connection_drop_unsent(struct connection *c);

/* ops->has_room is called when the socket takes bytes. */
void connection_await_room(struct connection *c);

void connection_on_writable(evutil_socket_t fd, short what, void *arg);
