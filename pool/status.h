/* GetStatus: what the pool is doing. */
#pragma once

#include <stdint.h>

struct session;

void status_answer(struct session *s, uint64_t id);
