/* The peers: other systems that run untrusted snippets. They are asked for the same program at the same concurrency as
 * the baselines, and must give the same answer. Some are programs that are started for each run, some are servers that
 * already run somewhere. Their options and requests are in commands.c and bench/http/contracts.c. The comparison is
 * fair: each gets the options that its own documentation gives for untrusted code, and no more. */
#pragma once

#include "bench/base/sample.h"
#include "bench/base/workload.h"
#include "bench/peers/peer.h"
#include "proto/base/err.h"

/* Prepares what a chosen peer needs, before any thread starts: a folder, or the HTTP client of the plug-in at the path
 * http_module. To be closed once, also after a failure. Idempotent. */
int peers_open(struct peers *p, enum peer_id id, const struct program *program, const char *http_module, struct err *e);
void peers_close(struct peers *p);

/* Like cold_paced and cold_window: wrong answers are counted, and are no error; a peer that can't be asked at all is an
 * error. */
int peers_paced(struct sample *s, const struct peers *p, enum peer_id id, const struct program *program,
                const struct pace *pace, struct err *e);
int peers_window(struct sample *s, const struct peers *p, enum peer_id id, const struct program *program, unsigned n,
                 const struct window *window, struct err *e);
