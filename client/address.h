/* From the text of an address to a connected socket. */
#pragma once

#include "proto/base/err.h"

enum { ADDRESS_HOST_SIZE = 256, ADDRESS_PORT_SIZE = 16 };

/* Takes "HOST:PORT" or "[IPV6]:PORT" apart. -EINVAL with a sentence. */
int address_split(const char *address, char host[ADDRESS_HOST_SIZE], char port[ADDRESS_PORT_SIZE], struct err *e);

/* Connects to "HOST:PORT", "[IPV6]:PORT" or "unix:PATH", trying each address that a name has for up to timeout_ms.
 * Returns a non-blocking, close-on-exec descriptor that the caller owns, or a negative errno. */
int address_connect(const char *address, int timeout_ms, struct err *e);
