/* A client's message (hatchery.v1.ClientMessage) as C. Decoding takes spans of the buffer instead of copies: the buffer
 * must outlive the request. Encoding reads the same struct, so client and server always agree. */
#pragma once

#include "proto/base/err.h"
#include "proto/base/submission.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum request_kind {
        REQUEST_NONE,
        REQUEST_EXECUTE,
        REQUEST_CANCEL,
        REQUEST_PING,
        REQUEST_STATUS,
        REQUEST_STDIN,
        REQUEST_SIGNAL,
        REQUEST_RESIZE,
        REQUEST_CREDIT,
        REQUEST_CANCEL_RUN,
};

/* The caller for whom the sender asks. */
struct on_behalf {
        struct span peer;  /* 1 to WIRE_MAX_PEER bytes */
        struct span trace; /* at most WIRE_MAX_TRACE characters of visible ASCII; empty: none */
};

struct request {
        uint64_t id;
        bool lz4; /* the sender reads compressed answers */
        bool has_on_behalf;
        struct on_behalf on_behalf; /* only for kinds that have an answer */
        enum request_kind kind;
        struct submission execute;     /* of REQUEST_EXECUTE */
        struct span execute_bytes;     /* after decoding: the bytes of the Execute, as they came */
        uint64_t request_id;           /* of CANCEL, STDIN, SIGNAL, RESIZE, CREDIT: the id of the request that it
                                        * concerns */
        struct span bytes;             /* of STDIN */
        bool eof;                      /* of STDIN: no more bytes follow */
        uint32_t signal;               /* of SIGNAL: its number, unchecked */
        struct terminal_size terminal; /* of RESIZE, unchecked */
        uint64_t credit_bytes;         /* of CREDIT */
        struct span run_id;            /* of CANCEL_RUN */
};

/* Does this kind have an answer, and so an id? */
bool request_is_answered(enum request_kind kind);

/* Decodes one message. Returns -EPROTO, and a sentence in e, if the message is malformed or over a bound of wire.h. In
 * this case r->id is the message's id, or 0 if the id could not be read. The function checks only the form (UTF-8, no
 * NUL in strings, counts, lengths), not whether the request makes sense. No string holds a NUL, so the caller can copy
 * strings to C strings. The caller releases r by request_fini in every case. */
int request_decode(struct request *r, const uint8_t *data, size_t len, struct err *e);

/* Encodes into fresh memory, which the caller frees. The first `room` bytes of the memory are left free for the caller;
 * *out_len counts only the message. */
int request_encode(const struct request *r, size_t room, uint8_t **out, size_t *out_len, struct err *e);

/* Frees the arrays that decoding made. A second call does nothing. Not for a request whose arrays the caller made. */
void request_fini(struct request *r);
