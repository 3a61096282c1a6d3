/* The holder of a slot's sandbox, as the link sees it, and the callbacks about that sandbox. This struct is the first
 * member of the holder's own struct. After exited the holder still has the slot, until it gives it back by slot_recycle
 * or has another sandbox made by slot_remake. failed or lost may come even then. After failed or lost it has no slot.
 */
#pragma once

#include "proto/ipc/channel.h"

struct slot_holder;

struct slot_holder_ops {
        /* ORDER_LIMIT has been carried out. */
        void (*limited)(struct slot_holder *h);
        /* The sandbox that slot_remake ordered is warm. The slot is RUNNING, as slot_hold wants it. */
        void (*remade)(struct slot_holder *h);
        /* All processes of the sandbox are dead. The slot is DYING, and the holder still has it. */
        void (*exited)(struct slot_holder *h, const struct report *report);
        /* The slot failed, or was given up. Its descriptors are closed after this call. */
        void (*failed)(struct slot_holder *h, const char *why);
        /* The zygote is gone, and the slot with it. */
        void (*lost)(struct slot_holder *h);
        /* A tick has passed. */
        void (*goes_on)(struct slot_holder *h);
};

struct slot_holder {
        const struct slot_holder_ops *ops;
};
