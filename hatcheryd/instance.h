/* Several servers may run on one machine. Each takes a number, held by a lock file as long as it lives, and with it a
 * name for its cgroups and a range of host uids that no other server uses. */
#pragma once

#include "proto/err.h"

#include <stdint.h>

enum { INSTANCE_MAX = 256, INSTANCE_UIDS = 65536, INSTANCE_LANGUAGE_UIDS = 2048 };

struct instance {
        unsigned number;
        int lock;      /* owned */
        char name[32]; /* "hatchery-0" */
        uint32_t pool_uid;
        uint32_t sandbox_uid; /* language k begins at sandbox_uid + k * INSTANCE_LANGUAGE_UIDS */
};

/* uid_base is the configuration's; -EBUSY when all numbers are taken. */
int instance_take(struct instance *i, uint32_t uid_base, struct err *e);
void instance_release(struct instance *i);
