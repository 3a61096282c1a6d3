/* One attempt to connect, without waiting: the name's lookup, then each of its addresses in turn, within one bound on
 * the time. It watches its descriptors by the epoll descriptor that it borrows. */
#pragma once

#include "proto/base/err.h"

#include <stdint.h>

struct dial;

enum { DIAL_PENDING = 1 };

/* end_us: when the attempt is given up, by clock_us. */
int dial_new(struct dial **out, const char *address, int epoll_fd, int64_t end_us, struct err *e);

/* NULL is accepted. */
void dial_free(struct dial *d);

/* Goes on: DIAL_PENDING; or 0 and a connected non-blocking socket that the caller owns and that is no longer watched;
 * or a negative errno, which is the attempt's end. */
int dial_step(struct dial *d, int64_t now_us, int *fd, struct err *e);

/* When dial_step is to be called even if nothing happens. */
int64_t dial_next_us(const struct dial *d);
