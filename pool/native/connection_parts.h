/* What the parts of a session say to each other: private to session*.c. */
#pragma once

#include "pool/native/connection.h"

/* ---------------------------------------------------------------- session.c */

/* The connection is broken or given up. Whoever finds that may be deep in calls that still look at the session, so it
 * is freed later, in a turn of its own. */
void session_doom(struct session *s);

/* Tells the pool's budget how much memory it holds now. */
void session_weigh(struct session *s);

/* All is sent, and nothing more will be. */
void session_linger(struct session *s);

/* ---------------------------------------------------------------- session_read.c */

/* Watches the socket: for bytes, or for the peer's end alone, since its runs are to end with it. */
int session_watch(struct session *s, bool reads);

/* What comes next: more is read, or what was read has its turn, or answers have to leave first. */
void session_go_on(struct session *s);

/* A piece of what was read and not looked at yet. True: of a large request, there is more to unpack. */
bool session_read_turn(struct session *s);

/* How much memory that holds; and its end. */
size_t session_unread(const struct session *s);
void session_drop_unread(struct session *s);

/* ---------------------------------------------------------------- session_write.c */

/* How much waits for the client to take it; and its end. */
size_t session_unsent(const struct session *s);
void session_drop_unsent(struct session *s);

void session_on_writable(evutil_socket_t fd, short what, void *arg);
