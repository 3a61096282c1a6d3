/* The peers: other systems that run untrusted snippets, asked for the same program at the same concurrency as the
 * baselines, and held to the same answer. Some are programs that are started for each run, some are servers that
 * already run somewhere; what they are told is in commands.c and peers_http.c. None of them is an opponent of
 * straw: each gets the options that its own documentation gives for untrusted code, and no more. */
#pragma once

#include "bench/base/sample.h"
#include "bench/base/workload.h"
#include "proto/base/err.h"

#include <stdbool.h>

struct http_client;

enum { PEERS_PATH_SIZE = 4096, PEERS_MAX_PARALLEL = 256 };

enum peer_id {
        PEER_BUBBLEWRAP,
        PEER_CRUN,
        PEER_NSJAIL,
        PEER_ISOLATE,
        PEER_SNEKBOX,
        PEER_PISTON,
        PEER_GO_JUDGE,
        PEER_COUNT,
};

struct peer {
        const char *name;   /* for --peer, and the stem of its rows' names */
        const char *needs;  /* what NAME=... takes, for --help */
        const char *always; /* where Debian puts it, for those that --peers alone chooses; NULL: none */
        bool http;          /* a URL, else a program */
};

extern const struct peer peer_table[PEER_COUNT];

struct peers {
        char place[PEER_COUNT][PEERS_PATH_SIZE]; /* a program's path or a base URL; "": not chosen */
        char folder[64];                         /* of our own, for the OCI bundle and crun's state; "": none yet */
        const struct http_client *http;          /* of the plug-in; NULL: no server is asked */
};

/* "bubblewrap", "nsjail=/usr/local/bin/nsjail", "snekbox=http://127.0.0.1:8060". -EINVAL with a sentence. */
int peers_choose(struct peers *p, const char *text, struct err *e);

/* Those that Debian has: what --peers means. */
void peers_choose_packaged(struct peers *p);
bool peers_chosen(const struct peers *p, enum peer_id id);

/* Prepares what a chosen one needs, before any thread: a folder on disk, or the plug-in with the HTTP client, which
 * lies at http_module. Close once, also after a failure; idempotent. */
int peers_open(struct peers *p, enum peer_id id, const struct program *program, const char *http_module, struct err *e);
void peers_close(struct peers *p);

/* As cold_paced and cold_window: wrong answers are counted, and no error; a peer that can't be asked at all is one. */
int peers_paced(struct sample *s, const struct peers *p, enum peer_id id, const struct program *program,
                const struct pace *pace, struct err *e);
int peers_window(struct sample *s, const struct peers *p, enum peer_id id, const struct program *program, unsigned n,
                 const struct window *window, struct err *e);
