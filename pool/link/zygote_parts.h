/* The interface between the parts of a zygote: private to zygote*.c. */
#pragma once

#include "pool/link/zygote.h"

/* ---------------------------------------------------------------- zygote_slots.c */

/* Orders a sandbox in the slot, which is EMPTY. */
void zygote_make(struct zygote *z, struct slot *slot);

/* Has the slot's sandbox killed. The slot is WARM or RUNNING. */
void zygote_kill(struct zygote *z, struct slot *slot);

/* Has the zygote remove all that it keeps for the slot. The slot is EMPTY, or DYING until the report comes. */
void zygote_drop(struct zygote *z, struct slot *slot);

void slot_close_fds(struct slot *slot);

/* Takes the slot from its holder, and returns the holder, which the caller must tell. NULL: it had none. */
struct slot_holder *slot_take_away(struct slot *slot);

/* ---------------------------------------------------------------- zygote_reports.c */

/* Handles one report; channel_end calls it. */
int zygote_report(void *zygote, const struct report *report, const int *fds, size_t n_fds, struct err *e);
