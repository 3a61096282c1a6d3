/* From a request's bytes to the one who answers it: decodes, and calls whom it concerns. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct session;

/* One message, unpacked. Takes body over. */
void dispatch_request(struct session *s, uint8_t *body, size_t len);
