/* The known peers, and the chosen ones: other systems that run untrusted snippets. Some are programs that are started
 * for each run, some are servers that already run somewhere. */
#pragma once

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
        const char *needs;  /* the value of NAME=..., for --help */
        const char *always; /* the path in Debian, with which --peers chooses it; NULL: --peers does not choose it */
        bool http;          /* the place is a URL, else a program */
};

extern const struct peer peer_table[PEER_COUNT];

struct peers {
        char place[PEER_COUNT][PEERS_PATH_SIZE]; /* a program's path or a base URL; "": not chosen */
        char folder[64];                         /* our folder for the OCI bundle and crun's state; "": none yet */
        const struct http_client *http;          /* the plug-in's client; NULL: no server is asked */
};

/* text is for example "bubblewrap", "nsjail=/usr/local/bin/nsjail" or "snekbox=http://127.0.0.1:8060". -EINVAL with a
 * sentence. */
int peers_choose(struct peers *p, const char *text, struct err *e);

/* Chooses those that Debian has, for --peers. */
void peers_choose_packaged(struct peers *p);
bool peers_chosen(const struct peers *p, enum peer_id id);
