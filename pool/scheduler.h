/* What becomes of an Execute: refused, started at once, or queued. */
#pragma once

#include "proto/request.h"

#include <stddef.h>
#include <stdint.h>

struct session;

/* Takes the request's arrays and *buffer over if the request is accepted; what is left is the caller's to free. */
void scheduler_execute(struct session *s, struct request *request, uint8_t **buffer, size_t buffer_len);
