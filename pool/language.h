/* One language at run time: its zygote, its slots, the requests that wait for it. It turns reports into moves of slots
 * and calls to their runs, keeps the configured number of sandboxes warm, and hands waiting requests to them. */
#pragma once

#include "pool/config.h"
#include "pool/queue.h"
#include "pool/slot.h"
#include "pool/stats.h"
#include "pool/zygotes.h"
#include "proto/span.h"
#include "proto/wire.h"

#include <event2/event_struct.h>

struct pool;

struct language {
        struct pool *pool;
        char name[WIRE_MAX_LANGUAGE + 1];
        int64_t standard[LIMIT_COUNT];
        int64_t ceiling[LIMIT_COUNT];

        /* What its first zygote said. A later one may correct it. */
        bool known;
        char version[64];
        char main_file[32];
        char aliases[96];

        struct zygote zygote;
        bool serves; /* the zygote has said hello */
        struct slots slots;
        struct queue_lane lane;
        struct stats stats;
        bool was_full; /* has had all its warm sandboxes */

        struct event backoff;
        int64_t backoff_us; /* 0: sandboxes come as they should */
};

int language_init(struct language *l, struct pool *p, const struct config_language *config, struct err *e);
void language_fini(struct language *l);

/* What a new configuration can change. */
void language_configure(struct language *l, const struct config_language *config);

/* The one of this name or alias, or NULL. */
struct language *language_find(struct pool *p, struct span name);

/* A zygote for it; takes sock over. */
void language_adopt(struct language *l, int sock);

/* A report of its zygote; takes the descriptors over. Negative: the zygote is not to be trusted further. */
int language_report(struct language *l, const struct report *report, const int *fds, size_t n_fds, struct err *e);

/* Its zygote is gone, or must go. */
void language_lost(struct language *l, const char *why);

/* Gives warm sandboxes to waiting requests, and orders new sandboxes. */
void language_kick(struct language *l);

/* Of a slot that a run was given: */

/* The run wants no more of it, before its job was handed over. */
void language_return(struct language *l, struct slot *slot);
/* The run, whose sandbox is dead, has all that it wanted. discard: the slot can't be trusted to be clean. */
void language_recycle(struct language *l, struct slot *slot, bool discard);
/* An order about its present sandbox. */
void language_order(struct language *l, const struct slot *slot, enum order_kind kind, int fd);
