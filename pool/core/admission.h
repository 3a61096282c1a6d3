/* Whether a submission is taken, and by which language it is run. */
#pragma once

#include "pool/base/refusal.h"
#include "pool/core/check.h"

struct core;
struct language;

enum { ADMISSION_EARLY = REFUSED + 1 };

/* Whether it may be run by l, the language of that name, or NULL: 0 and the plan; REFUSED and the refusal; or
 * ADMISSION_EARLY: that can't be said before a language which is starting has spoken. */
int admission_check(const struct core *c, const struct language *l, const struct submission *s, struct check_plan *plan,
                    struct refusal *refusal);

/* What has nothing to do with what is asked: the server drains, or has no memory. l may be NULL. */
int admission_now(const struct core *c, const struct language *l, struct refusal *refusal);

/* What a caller is told whose language does not come up. Returns REFUSED. */
int admission_refuse_broken(const struct language *l, struct refusal *refusal);
