/* A server under test: a hatcheryd of the same build on a free port, with its built-in configuration, or with the
 * changes that a row needs. */
#pragma once

#include "bench/base/group.h"
#include "bench/base/sample.h"
#include "proto/base/err.h"

#include <sys/types.h>

enum { SERVER_ADDRESS_SIZE = 256, SERVER_PRELOAD_SIZE = 2048 };

struct server {
        pid_t pid; /* 0: not started */
        char address[SERVER_ADDRESS_SIZE];
        char http[SERVER_ADDRESS_SIZE]; /* http://HOST:PORT; "": it has no HTTP */

        /* Only with server_start_warm and server_start_grouped. */
        struct group group;
        char config[64];              /* its configuration's file; "": none */
        char no_group[ERR_TEXT_SIZE]; /* why it has no group of its own */
};

struct server_options {
        const char *language;
        const char *listen;
        bool http; /* HTTP, too, with all contracts on a free port */
};

/* Starts it with one language, with the defaults of the built-in configuration, and waits for its warm sandboxes. */
int server_start(struct server *s, const char *hatcheryd, const struct server_options *o, struct err *e);

/* Starts it with the built-in configuration, which serves every installed language; in a control group of its own, if
 * the host allows it, for server_memory. */
int server_start_grouped(struct server *s, const char *hatcheryd, struct err *e);

/* Starts it with `warm` sandboxes kept waiting, on a free port, and in a control group of its own, if the host allows
 * it. No other setting depends on warm. */
int server_start_warm(struct server *s, const char *hatcheryd, const char *language, unsigned warm, struct err *e);

/* Starts it like server_start_warm, with a warm sandbox for each of so many programs at one time. */
int server_start_parallel(struct server *s, const char *hatcheryd, const char *language, unsigned programs,
                          struct err *e);

/* Fills m with the memory of the server's group, or with the reason why there is none. */
void server_memory(const struct server *s, struct sample_memory *m);

/* Sends SIGTERM, and waits for the server's end. An error if it does not end in time, ends badly, or leaves something
 * behind. Idempotent. */
int server_stop(struct server *s, struct err *e);

/* The modules that the built-in configuration preloads for a language, separated by spaces, as `hatcheryd
 * --print-config` shows them. So a baseline always preloads the same modules as the server. */
int server_preload(const char *hatcheryd, const char *language, char out[SERVER_PRELOAD_SIZE], struct err *e);
