/* The pool's end of the socket to the supervisor, as pool/pool.h describes it. Its end of file means that the
 * supervisor is dead, and ends the pool. */
#pragma once

#include "proto/base/err.h"

#include <stdint.h>

struct pool;
struct control_socket;

/* Takes fd over. */
int control_new(struct control_socket **out, struct pool *p, int fd, struct err *e);
void control_free(struct control_socket *c);

/* What the supervisor is told, see pool.h. Negative: it was not. */
int control_ready(struct control_socket *c);
int control_alive(struct control_socket *c);
int control_renew(struct control_socket *c, const char *language);
int control_serves(struct control_socket *c, const char *language, uint32_t generation);
int control_kill(struct control_socket *c, const char *language, uint32_t generation);
