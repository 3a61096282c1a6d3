/* Turns the core's outcomes and refusals into messages for the client. Pure. */
#pragma once

#include "pool/base/refusal.h"
#include "pool/core/outcome.h"
#include "proto/wire/answer.h"

#include <stdint.h>

/* The Result for the request of this id. Its bytes and files belong to the outcome. */
void answers_result(struct answer *a, uint64_t id, const struct outcome *o);

/* The Error for the request of this id. id 0: it concerns the connection as a whole. */
void answers_refusal(struct answer *a, uint64_t id, const struct refusal *r);
