/* The rights of a zygote. It gives up what making sandboxes does not take before anything starts that is not Hatchery's
 * own: the interpreter, and what an operator preloads into it. While that runs the zygote is nobody in particular and
 * has no capability in effect. That keeps off accidents and what is written for any machine; no more, since code in the
 * zygote can take up again what the zygote keeps, as the zygote itself does. */
#pragma once

#include "proto/base/err.h"
#include "zygote/base/fault.h"

#include <stdint.h>

/* An empty network of its own. Before all else, so that the command that prepares a language has none either. */
int rights_leave_network(const struct faults *faults, struct err *e);

/* On the first stack (aside.h), since it forks. For good: the capabilities and the system calls that are left, for the
 * zygote and all its children. */
int rights_limit(const char *const *extra_calls, const struct faults *faults, struct err *e);

/* For a while: another user, which is to be one of the language's own range, where no process is yet. */
int rights_lay_down(uint32_t uid, const struct faults *faults, struct err *e);
int rights_take_up(const struct faults *faults, struct err *e);
