/* Decodes a request, and calls the code that answers it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct connection;

/* Handles one unpacked message. Takes body over. */
void requests_take(struct connection *c, uint8_t *body, size_t len);
