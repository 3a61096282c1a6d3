/* Protobuf messages in a flat buffer, decoded by tables and without copies: text and bytes become spans of the buffer.
 * The decoder uses nanopb's primitives (tags, varints, skipping), not pb_decode. pb_decode merges a field that is sent
 * twice, accepts NUL and invalid UTF-8, and can't name the field that it refuses.
 *
 * One row describes one field of a message: its form on the wire, its place in a C struct, and its bound. Fields
 * without a row are skipped, as protobuf demands. Every refusal is -EPROTO with a sentence that names field and
 * message.
 *
 * Encoding uses pb_encode with the generated structs; this file has the callbacks that write spans. */
#pragma once

#include "proto/base/err.h"
#include "proto/base/span.h"
#include "proto/wire/request.h"

#include <pb_encode.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pbspan_kind {
        PBSPAN_BOOL,    /* bool */
        PBSPAN_INT32,   /* int32_t, or an enum of the generated header */
        PBSPAN_UINT32,  /* uint32_t */
        PBSPAN_INT64,   /* int64_t */
        PBSPAN_UINT64,  /* uint64_t */
        PBSPAN_BYTES,   /* struct span */
        PBSPAN_TEXT,    /* struct span: valid UTF-8 without NUL, at most max bytes */
        PBSPAN_CHARS,   /* char[max]: text as above, copied and ended by NUL, so at most max - 1 bytes */
        PBSPAN_MESSAGE, /* handed to add */
};

enum pbspan_times {
        PBSPAN_ONCE, /* a second value is refused */
        PBSPAN_MANY, /* handed to add one by one, at most max_count */
        PBSPAN_ONEOF /* at most one of all rows with this mark may come */
};

struct pbspan_field {
        uint32_t tag;
        const char *name; /* as in the .proto */
        enum pbspan_kind kind;
        enum pbspan_times times;
        size_t offset;    /* of the value in the target */
        size_t has;       /* of a bool in the target that is set if the field came; 0: none */
        size_t max;       /* TEXT and BYTES: longest, in bytes; 0: no bound. CHARS: size of the array */
        size_t max_count; /* MANY */
        /* If set, gets the content, and nothing is stored at offset. MESSAGE must have it; TEXT and BYTES may. */
        int (*add)(void *target, struct span content, struct err *e);
};

struct pbspan_message {
        const char *name;
        const struct pbspan_field *fields;
        size_t n_fields; /* at most PBSPAN_MAX_FIELDS */
};

enum { PBSPAN_MAX_FIELDS = 64 };

int pbspan_decode(const struct pbspan_message *m, struct span content, void *target, struct err *e);

/* The first value of an integer field at the top level of a message, even if the rest is malformed; 0: not found among
 * the first few hundred fields. */
uint64_t pbspan_find_uint64(struct span content, uint32_t tag);

/* Takes the first field of rest, and moves rest behind this field. *tag becomes the field's number, *field its bytes
 * with tag and length. False: rest is empty, or damaged. */
bool pbspan_next(struct span *rest, uint32_t *tag, struct span *field);

/* Room for one more element after n. Capacities are 4, 8, 16, ..., so the number of elements alone tells whether the
 * array is full. Returns the new element, zeroed, or NULL if there is no memory. */
void *pbspan_grow(void **array, size_t n, size_t element_size);

/* Encodes into fresh memory, and leaves room bytes free at its start. */
int pbspan_encode(const pb_msgdesc_t *message, const void *from, size_t room, uint8_t **out, size_t *out_len,
                  struct err *e);

struct pbspan_files {
        const struct file_span *files;
        size_t n;
};

/* Callbacks for pb_encode: a span that is left out if it is empty (as proto3 does); a span that is written even if it
 * is empty; all files of a repeated File. The data must outlive the encoding. */
pb_callback_t pbspan_of_span(const struct span *s);
pb_callback_t pbspan_of_present_span(const struct span *s);
pb_callback_t pbspan_of_files(const struct pbspan_files *files);
