/* The ways to ask a peer. */
#pragma once

#include "bench/peers/lane.h"

extern const struct peers_way peers_process; /* a program started for each run */
extern const struct peers_way peers_http;    /* a server */

/* Loads and starts the plug-in's client. It stays loaded, since libcurl can't be unloaded safely. */
int peers_http_load(const char *module, const struct http_client **client, struct err *e);
