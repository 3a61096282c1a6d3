/* Decides whether a submission is taken, and which language runs it. */
#pragma once

#include "pool/base/refusal.h"
#include "pool/core/check.h"

struct core;
struct language;

enum { ADMISSION_EARLY = REFUSED + 1 };

/* May l run the submission? l is the language of the submission's name, or NULL. Returns 0 and the plan; REFUSED and
 * the refusal; or ADMISSION_EARLY: the answer depends on a language that is still starting. */
int admission_check(const struct core *c, const struct language *l, const struct submission *s, struct check_plan *plan,
                    struct refusal *refusal);

/* Reasons that do not depend on the submission: the server drains, or has no memory. l may be NULL. */
int admission_now(const struct core *c, const struct language *l, struct refusal *refusal);

/* The refusal for a language that does not come up. Returns REFUSED. */
int admission_refuse_broken(const struct language *l, struct refusal *refusal);
