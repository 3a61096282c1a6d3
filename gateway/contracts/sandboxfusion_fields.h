/* The fields of a SandboxFusion body, read one by one. The first field that does not fit is kept as a fault, in
 * FastAPI's form: {"type", "loc": ["body", FIELD, ITEM], "msg"}. Programs read `type` and `loc`; people read `msg`. */
#pragma once

#include "proto/base/span.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct fusion_fields {
        const json_t *body; /* an object, borrowed */
        bool failed;
        json_t *fault; /* owned; NULL also if there was no memory for it */
};

/* Keeps the fault unless there is one already. type: pydantic's name of the kind of fault. field: NULL for the body as
 * a whole. item: a name or an index within the field, a reference that is taken over, or NULL. */
__attribute__((format(printf, 5, 6))) void fusion_fault(struct fusion_fields *f, const char *type, const char *field,
                                                        json_t *item, const char *format, ...);

void fusion_fields_fini(struct fusion_fields *f);

/* Each of the following returns a harmless value, and keeps a fault, if the field does not fit. Strings are borrowed
 * from the body. */

/* A string. fallback: the value if the field is missing, or null where that is allowed; NULL: the field is
 * needed. */
struct span fusion_text(struct fusion_fields *f, const char *name, bool may_be_null, const char *fallback);

/* Seconds as microseconds, from 1 on. With may_be_zero, 0 or less is 0 and means "none". */
int64_t fusion_time(struct fusion_fields *f, const char *name, int64_t fallback_us, bool may_be_zero);

int64_t fusion_integer(struct fusion_fields *f, const char *name, int64_t fallback);

/* An array of at most `most` strings. NULL: the array is missing, or a fault is kept. With must_be, a missing array is
 * a fault. */
const json_t *fusion_texts(struct fusion_fields *f, const char *name, bool must_be, size_t most);

/* An object. NULL: the object is missing, or a fault is kept. */
const json_t *fusion_object(struct fusion_fields *f, const char *name);
