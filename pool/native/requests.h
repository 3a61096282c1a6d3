/* From a request's bytes to the one who answers it: decodes, and calls whom it concerns. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct connection;

/* One message, unpacked. Takes body over. */
void requests_take(struct connection *c, uint8_t *body, size_t len);
