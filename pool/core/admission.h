/* What becomes of an Execute: refused, started at once, or queued. */
#pragma once

#include "pool/base/refusal.h"
#include "pool/core/check.h"
#include "proto/wire/request.h"

#include <stddef.h>
#include <stdint.h>

struct language;
struct pool;
struct session;

enum { SCHEDULER_EARLY = REFUSED + 1 };

/* Takes the request's arrays and *buffer over if the request is accepted; what is left is the caller's to free. */
void scheduler_execute(struct session *s, struct request *request, uint8_t **buffer, size_t buffer_len);

/* Whether an Execute may be run by l, the language of that name, or NULL: 0 and the plan; REFUSED and the refusal; or
 * SCHEDULER_EARLY: that can't be said before a language which is starting has spoken. */
int scheduler_check(struct pool *p, const struct language *l, const struct submission *x, struct check_plan *plan,
                    struct refusal *refusal);

/* What a request is told whose language does not come up. Returns REFUSED. */
int scheduler_refuse_broken(const struct language *l, struct refusal *refusal);
