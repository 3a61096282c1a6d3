/* Turns the bytes of a socket into the server's answers. One inflow belongs to one connection; it owns the bytes that
 * have arrived and were not taken yet. The blocking and the asynchronous client both read through it. */
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

/* UNREADABLE: the frame was whole, but its message can't be decoded. */
enum { INFLOW_MORE = 1, INFLOW_UNREADABLE = 2 };

/* Takes the first message, if it is whole. 0: a is filled. INFLOW_MORE: no whole message has arrived yet.
 * INFLOW_UNREADABLE: e says why; *id is the message's id, or 0; later frames can still be read. A negative errno: no
 * later byte can be understood, and all bytes that have arrived are dropped. */
int inflow_take(struct inflow *f, struct hatchery_answer *a, uint64_t *id, struct err *e);

/* Is inflow_take worth a call: has a whole frame arrived, or the beginning of an invalid one? */
bool inflow_has_frame(const struct inflow *f);

/* Drops all that has arrived. Idempotent. */
void inflow_fini(struct inflow *f);
