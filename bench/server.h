/* The server under test: a hatcheryd of the same build with its built-in configuration, on a free port, for as long as
 * the benchmark lasts. */
#pragma once

#include "proto/err.h"

#include <sys/types.h>

enum { SERVER_ADDRESS_SIZE = 256, SERVER_PRELOAD_SIZE = 2048 };

struct server {
        pid_t pid; /* 0: not started */
        char address[SERVER_ADDRESS_SIZE];
};

/* Starts it on `listen` and waits until every language has its warm sandboxes. */
int server_start(struct server *s, const char *hatcheryd, const char *listen, struct err *e);

/* SIGTERM, and waits for its end. An error if it fails to end in time, or ends badly. Idempotent. */
int server_stop(struct server *s, struct err *e);

/* The modules that the built-in configuration preloads for a language, separated by spaces, as `hatcheryd
 * --print-config` says: so a baseline that preloads the same can't drift from the server. */
int server_preload(const char *hatcheryd, const char *language, char out[SERVER_PRELOAD_SIZE], struct err *e);
