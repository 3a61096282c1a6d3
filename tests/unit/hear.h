/* What a client of a front hears, checked: see front.h. Each function waits for the client's next answer. */
#pragma once

#include "pool/core/outcome.h"
#include "tests/unit/front.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Waits until so many executions have begun. */
void wait_for(struct front *f, size_t begun);

/* An outcome with this output. */
struct outcome exited(const char *out);

/* An Error whose sentence contains the word. Returns its retry_after_ms. */
uint64_t hear_error(struct front *f, int client, uint64_t id, enum refusal_code code, const char *word);

/* A Result with this output and this trace; NULL: with any. */
void hear_result(struct front *f, int client, uint64_t id, const char *out, const char *trace);

/* The answer to Cancel and CancelRun. */
void hear_cancelled(struct front *f, int client, uint64_t id, bool found);
