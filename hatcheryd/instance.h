/* Several servers may run on one machine. Each server takes a number, and holds it by a lock file as long as it lives.
 * The number gives a name for the server's cgroups and a range of host uids that no other server uses. */
#pragma once

#include "pool/config/config.h"
#include "proto/base/err.h"
#include "proto/ipc/channel.h"
#include "zygote/cell.h"

#include <stdint.h>

/* Where all servers of the machine keep their locks. */
#define INSTANCE_RUN_DIRECTORY "/run/hatchery"

/* docs/operating.md, "What it takes on the host", states the same numbers; tests/house/test_documents.py compares. */
enum {
        INSTANCE_MAX = 256,
        INSTANCE_UIDS = 262144,
        INSTANCE_FIRST_UIDS = 16, /* the pool's uid, the gateway's uid, and spare ones */
        INSTANCE_SIDES = 2,       /* sides of a language, see keeper.h */
        INSTANCE_SIDE_UIDS = CHANNEL_MAX_SLOTS * CELL_UIDS,
        INSTANCE_LANGUAGE_UIDS = INSTANCE_SIDES * INSTANCE_SIDE_UIDS,
        INSTANCE_LANGUAGES = (INSTANCE_UIDS - INSTANCE_FIRST_UIDS) / INSTANCE_LANGUAGE_UIDS,
};

_Static_assert((int)INSTANCE_LANGUAGES == (int)CONFIG_MAX_LANGUAGES,
               "there are uids for all languages that can be configured");
_Static_assert(CONFIG_MAX_UID_BASE + (uint64_t)INSTANCE_MAX * INSTANCE_UIDS < UINT32_MAX,
               "the uids of every server fit below UINT32_MAX, for any uid_base");

struct instance {
        unsigned number;
        int lock;      /* owned */
        char name[32]; /* "hatchery-0" */
        uint32_t pool_uid;
        uint32_t gateway_uid; /* of all gateway workers */
        /* The first uid of sandboxes. The uids of side s of language k begin at
         * sandbox_uid + s * INSTANCE_SIDE_UIDS + k * INSTANCE_LANGUAGE_UIDS. */
        uint32_t sandbox_uid;
};

/* Takes a free number; -EBUSY when all numbers are taken. uid_base is the setting of the configuration. */
int instance_take(struct instance *i, uint32_t uid_base, struct err *e);
void instance_release(struct instance *i);

/* Locks a number. The lock is held until the returned descriptor is closed. -EWOULDBLOCK: a server with that number
 * lives. */
int instance_lock(unsigned number, struct err *e);
