/* From the text of an address to a connected socket. */
#pragma once

#include "proto/base/err.h"

#include <stdbool.h>

struct sockaddr_un;

enum { ADDRESS_HOST_SIZE = 256, ADDRESS_PORT_SIZE = 16, ADDRESS_SIZE = 288 };

/* Is the text a well-formed address? If so, it fits into ADDRESS_SIZE. -EINVAL with a sentence: it is not. */
int address_check(const char *address, struct err *e);

/* Is it "unix:PATH"? */
bool address_is_local(const char *address);

/* The socket's address of "unix:PATH". -EINVAL with a sentence. */
int address_local(const char *address, struct sockaddr_un *sa, struct err *e);

/* Takes "HOST:PORT" or "[IPV6]:PORT" apart. -EINVAL with a sentence. */
int address_split(const char *address, char host[ADDRESS_HOST_SIZE], char port[ADDRESS_PORT_SIZE], struct err *e);

/* Sets the options of a TCP socket that carries requests. */
int address_tune(int fd, struct err *e);

/* Fills e: connecting failed, and a likely cause. Returns -code. */
int address_failed(const char *address, int code, struct err *e);

/* Connects to "HOST:PORT", "[IPV6]:PORT" or "unix:PATH", trying each address that a name has for up to timeout_ms.
 * Returns a non-blocking, close-on-exec descriptor that the caller owns, or a negative errno. */
int address_connect(const char *address, int timeout_ms, struct err *e);
