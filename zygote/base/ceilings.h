/* The ceilings of a zygote: the highest values that the pool may order for the limits that the kernel keeps. The pool
 * refuses requests above the same numbers. A pool that an attacker took over does not, so the zygote checks each order.
 */
#pragma once

#include "proto/base/err.h"
#include "proto/ipc/channel.h"

enum { CEILINGS_ARG_SIZE = 72 };

/* Writes the ceilings as a word of the zygote's command line: "MEMORY:DISK:PIDS", in bytes and processes. */
void ceilings_to_arg(const struct ceilings *c, char arg[CEILINGS_ARG_SIZE]);

/* -EINVAL with a sentence: these are not three numbers of 1 and more. */
int ceilings_from_arg(struct ceilings *c, const char *arg, struct err *e);

/* -EPROTO with a sentence: the order asks for more than a ceiling, or for less than 1. (To a tmpfs, a size of 0 means
 * that there is no limit.) */
int ceilings_check(const struct ceilings *c, const struct order *o, struct err *e);
