/* The pool's end of the socket to the supervisor, as pool/pool.h describes it. Its end of file means that the
 * supervisor is dead, and ends the pool. */
#pragma once

#include "proto/err.h"

struct pool;
struct control_socket;

/* Takes fd over. */
int control_new(struct control_socket **out, struct pool *p, int fd, struct err *e);
void control_free(struct control_socket *c);

/* Tells the supervisor that every language is warm. */
void control_ready(struct control_socket *c);
