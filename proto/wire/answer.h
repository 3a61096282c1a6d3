/* A server's message (hatchery.v1.ServerMessage) as C: the generated struct for small fields, spans for fields that can
 * be large. Decoding takes spans of the buffer, which must outlive the answer. */
#pragma once

#include "hatchery.pb.h"
#include "proto/base/err.h"
#include "proto/base/span.h"
#include "proto/wire/request.h"

#include <stddef.h>
#include <stdint.h>

struct answer {
        /* m.which_answer names the member (hatchery_v1_ServerMessage_result_tag, ...). Its callbacks are the codec's.
         */
        hatchery_v1_ServerMessage m;
        struct span out;         /* of a result: standard output; of an Output: its bytes */
        struct span err;         /* of a result: standard error */
        struct span compile_out; /* of a result with a compile step: the compiler's output */
        struct span compile_err;
        struct file_span *files;
        size_t n_files;
        hatchery_v1_LanguageStatus *languages; /* of a status */
        size_t n_languages;
        hatchery_v1_AbsentLanguage *absent; /* of a status */
        size_t n_absent;
};

/* Decodes one message; -EPROTO with a sentence. The caller releases a by answer_fini in every case. */
int answer_decode(struct answer *a, const uint8_t *data, size_t len, struct err *e);

/* Encodes into fresh memory that the caller frees, room bytes free at its start; *out_len counts the message alone.
 * Strings in a->m must be UTF-8. */
int answer_encode(struct answer *a, size_t room, uint8_t **out, size_t *out_len, struct err *e);

/* Frees the arrays that decoding made. Idempotent. */
void answer_fini(struct answer *a);

/* "EXITED", "INVALID_ARGUMENT": the names of the .proto; "?" for a number that the .proto does not have. */
const char *answer_status_name(int status);
const char *answer_code_name(int code);
