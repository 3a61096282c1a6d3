/* What the parts of a zygote say to each other: private to zygote*.c. */
#pragma once

#include "pool/link/zygote.h"

/* ---------------------------------------------------------------- zygote_slots.c */

/* The slot is EMPTY: a sandbox is ordered in it. */
void zygote_make(struct zygote *z, struct slot *slot);

/* The slot is WARM, or RUNNING: its sandbox is to die. */
void zygote_kill(struct zygote *z, struct slot *slot);

/* The slot is EMPTY, or DYING until the report comes: what the zygote keeps for it is to go. */
void zygote_drop(struct zygote *z, struct slot *slot);

void slot_close_fds(struct slot *slot);

/* Takes the slot from its holder, who is to be told; or NULL. */
struct slot_holder *slot_take_away(struct slot *slot);

/* ---------------------------------------------------------------- zygote_reports.c */

/* As channel_end calls it. */
int zygote_report(void *zygote, const struct report *report, const int *fds, size_t n_fds, struct err *e);
