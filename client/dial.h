/* One attempt to connect, without waiting: the name's lookup, then each of its addresses in turn, within one bound on
 * the time. It watches its descriptors by the epoll descriptor that it borrows. */
#pragma once

#include "proto/base/err.h"

#include <stdint.h>

struct dial;

enum { DIAL_PENDING = 1 };

/* end_us: the time, by clock_us, at which the attempt is given up. */
int dial_new(struct dial **out, const char *address, int epoll_fd, int64_t end_us, struct err *e);

/* NULL is accepted. */
void dial_free(struct dial *d);

/* Takes the attempt further. DIAL_PENDING: it is not over. 0: *fd is a connected non-blocking socket; the caller owns
 * it, and it is no longer watched. A negative errno: the attempt has failed. */
int dial_step(struct dial *d, int64_t now_us, int *fd, struct err *e);

/* The time at which the caller calls dial_step even if no descriptor is ready. */
int64_t dial_next_us(const struct dial *d);
