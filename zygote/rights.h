/* The rights of a zygote. It keeps only the rights that it needs to make sandboxes. It gives up all others before
 * foreign code starts: the interpreter, and the modules that an operator preloads. While the foreign code starts, the
 * zygote runs as another user and has no effective capability. That stops accidents, and attacks that do not know
 * Hatchery. It stops nothing else: code in the zygote can take up the kept rights again, as the zygote itself does. */
#pragma once

#include "proto/base/err.h"
#include "zygote/base/fault.h"

#include <stdint.h>

/* The process gets an empty network of its own. This comes first, so that the command that prepares a language has no
 * network either. */
int rights_leave_network(const struct faults *faults, struct err *e);

/* Limits the capabilities and the system calls of the zygote and all its children, for good. Call it on the first stack
 * (aside.h), since it forks. */
int rights_limit(const char *const *extra_calls, const struct faults *faults, struct err *e);

/* Makes the zygote another user for a while. The uid is one of the language's own range, and has no process yet. */
int rights_lay_down(uint32_t uid, const struct faults *faults, struct err *e);
int rights_take_up(const struct faults *faults, struct err *e);
