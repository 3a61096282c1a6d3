/* The ways to ask a peer. */
#pragma once

#include "bench/peers/lane.h"

extern const struct peers_way peers_process; /* a program started for each run */
extern const struct peers_way peers_http;    /* a server */

/* The client in the plug-in, started. It stays loaded: libcurl does not like to go. */
int peers_http_load(const char *module, const struct http_client **client, struct err *e);
