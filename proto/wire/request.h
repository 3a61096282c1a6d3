/* What a client says (hatchery.v1.ClientMessage) as C. Decoding takes spans of the buffer instead of copies: the buffer
 * must outlive the request. Encoding reads the same struct, so that client and server can't drift apart. */
#pragma once

#include "proto/base/err.h"
#include "proto/base/limit.h"
#include "proto/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum request_kind { REQUEST_NONE, REQUEST_EXECUTE, REQUEST_CANCEL, REQUEST_PING, REQUEST_STATUS };

struct file_span {
        struct span name;
        struct span content;
        struct span raw_name; /* of a result only: the real bytes of a name that is not UTF-8 */
        uint32_t mode;
};

struct env_span {
        struct span name;
        struct span value;
};

struct execute {
        struct span language;
        bool has_code;
        struct span code;
        struct span entry;
        struct span standard_input;
        struct span client;
        struct file_span *files;
        size_t n_files;
        struct span *args;
        size_t n_args;
        struct env_span *env;
        size_t n_env;
        bool has_limit[LIMIT_COUNT];
        int64_t limit[LIMIT_COUNT];
        bool has_compile_limits; /* of the compile stage, even if none of them is named */
        bool has_compile_limit[LIMIT_COUNT];
        int64_t compile_limit[LIMIT_COUNT];
        struct span *compile_flags;
        size_t n_compile_flags;
        bool merge_stderr;
        bool echo_last_expression;
        bool unbuffered;
        bool truncate_output; /* on_output_limit = TRUNCATE */
        bool has_collect;
        struct span *globs;
        size_t n_globs;
        uint32_t collect_max_files; /* 0: the server's ceiling */
        uint64_t collect_max_bytes; /* 0: the server's ceiling */
        bool collect_changed_only;  /* not what the request brought and the run left as it was */
        uint64_t deadline_us;       /* 0: none */
        uint32_t priority;
};

struct request {
        uint64_t id;
        bool lz4; /* the sender reads compressed answers */
        enum request_kind kind;
        struct execute execute; /* of REQUEST_EXECUTE */
        uint64_t cancel_id;     /* of REQUEST_CANCEL */
};

/* Decodes one message. -EPROTO with a sentence for what is malformed or over a bound of wire.h; r->id is then the id if
 * it could be read, else 0. Checks form only (UTF-8, no NUL in strings, counts, lengths), not whether the request makes
 * sense. r is to be released by request_fini in every case. Strings are checked for NUL, so they can be copied to C. */
int request_decode(struct request *r, const uint8_t *data, size_t len, struct err *e);

/* Encodes into fresh memory that the caller frees, room bytes free at its start; *out_len counts the message alone. */
int request_encode(const struct request *r, size_t room, uint8_t **out, size_t *out_len, struct err *e);

/* Frees the arrays that decoding made. Idempotent. Not for requests whose arrays a caller made himself. */
void request_fini(struct request *r);
