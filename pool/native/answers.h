/* What the core tells as what the client is told: outcomes and refusals as messages. Pure. */
#pragma once

#include "pool/base/refusal.h"
#include "pool/core/outcome.h"
#include "proto/wire/answer.h"

#include <stdint.h>

/* The Result of the request of this id. Its bytes and files are the outcome's. */
void answers_result(struct answer *a, uint64_t id, const struct outcome *o);

/* The Error. id 0: about the connection as a whole. */
void answers_refusal(struct answer *a, uint64_t id, const struct refusal *r);
