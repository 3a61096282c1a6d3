/* The peers: other systems that run untrusted snippets, asked for the same program at the same concurrency as the
 * baselines, with the same right answer. Some are programs that are started for each run, some are servers that already
 * run somewhere. Their options and requests are in commands.c and peers_http.c. The comparison is fair: each gets the
 * options that its own documentation gives for untrusted code, and no more. */
#pragma once

#include "bench/base/sample.h"
#include "bench/base/workload.h"
#include "bench/peers/peer.h"
#include "proto/base/err.h"

/* Prepares the needs of a chosen peer, before any thread: a folder on disk, or the plug-in with the HTTP client, which
 * lies at http_module. Close once, also after a failure; idempotent. */
int peers_open(struct peers *p, enum peer_id id, const struct program *program, const char *http_module, struct err *e);
void peers_close(struct peers *p);

/* Like cold_paced and cold_window: wrong answers are counted, and are no error; a peer that can't be asked at all is an
 * error. */
int peers_paced(struct sample *s, const struct peers *p, enum peer_id id, const struct program *program,
                const struct pace *pace, struct err *e);
int peers_window(struct sample *s, const struct peers *p, enum peer_id id, const struct program *program, unsigned n,
                 const struct window *window, struct err *e);
