/* Several servers may run on one machine. Each takes a number, held by a lock file as long as it lives, and with it a
 * name for its cgroups and a range of host uids that no other server uses. */
#pragma once

#include "proto/err.h"

#include <stdint.h>

enum {
        INSTANCE_MAX = 256,
        INSTANCE_UIDS = 262144,
        INSTANCE_FIRST_UIDS = 16,      /* the pool's, and spare ones */
        INSTANCE_LANGUAGE_UIDS = 4096, /* two sides ... */
        INSTANCE_SIDE_UIDS = 2048,     /* ... of CHANNEL_MAX_SLOTS slots with SLOT_UIDS each */
};

struct instance {
        unsigned number;
        int lock;      /* owned */
        char name[32]; /* "hatchery-0" */
        uint32_t pool_uid;
        uint32_t
                sandbox_uid; /* side s of language k begins s * INSTANCE_SIDE_UIDS + k * INSTANCE_LANGUAGE_UIDS later */
};

/* uid_base is the configuration's; -EBUSY when all numbers are taken. */
int instance_take(struct instance *i, uint32_t uid_base, struct err *e);
void instance_release(struct instance *i);

/* The lock of a number, held until the descriptor that is returned is closed; -EWOULDBLOCK: its server lives. */
int instance_lock(unsigned number, struct err *e);
