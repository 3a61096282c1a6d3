/* What a server sends: from the bytes of a socket to answers. One inflow belongs to one connection; it owns the bytes
 * that have arrived and were not taken yet. The blocking client and the asynchronous one both read by it. */
#pragma once

#include "client/hatchery.h"

#include <stddef.h>
#include <stdint.h>

struct inflow {
        uint32_t max; /* the longest message that is accepted, packed and unpacked */
        uint8_t *in;  /* in[start] to in[start + len]: arrived, not yet taken */
        size_t start;
        size_t len;
        size_t room;
};

enum inflow_read { INFLOW_NOTHING, INFLOW_BYTES, INFLOW_END };

/* Reads what a non-blocking socket holds, up to some 64 KiB. An enum inflow_read, or a negative errno. */
int inflow_read(struct inflow *f, int fd, struct err *e);

/* The frame was whole, and its message can't be read. */
enum { INFLOW_MORE = 1, INFLOW_UNREADABLE = 2 };

/* Takes the first message, if it is whole. 0: a is filled. INFLOW_MORE: it is not there yet. INFLOW_UNREADABLE: e says
 * why; *id is its id, or 0; the frames behind it can be read. A negative errno: nothing that follows can be understood,
 * and all that has arrived is dropped. */
int inflow_take(struct inflow *f, struct hatchery_answer *a, uint64_t *id, struct err *e);

/* Is a whole frame there, or the beginning of what is none? */
bool inflow_has_frame(const struct inflow *f);

/* Drops all that has arrived. Idempotent. */
void inflow_fini(struct inflow *f);
