/* Reads the members of JSON objects by tables, for v1_request.c and v1_ws.c. A member that no table has is refused with
 * its path and the nearest name. A member that is null counts as left out. */
#pragma once

#include "gateway/contracts/v1_request.h"

/* Where a value stands: a chain from the innermost name to the body. */
struct v1_place {
        const struct v1_place *above; /* NULL: the body itself */
        const char *name;             /* NULL: a list's item */
        size_t index;
        bool is_quoted; /* the client chose the name: files["main.py"] */
};

struct v1_reader {
        struct v1_request *owner; /* of memory */
        struct failure *why;
        bool is_live;
};

struct v1_field {
        const char *name;
        /* 0 or -1. target is the object's struct; field is this row. */
        int (*read)(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *field,
                    void *target);
        size_t offset; /* of the member of target */
        uint64_t most; /* of v1_number: the largest value; of texts: the most bytes; of lists: the most items */
        size_t has;    /* of v1_bytes and v1_limit: a bool of target that becomes true; 0: none */
        size_t count;  /* of v1_words: the size_t of target that gets the number of items */
        size_t width;  /* of v1_number: bytes of the member, 4 or 8 */
};

int v1_object(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *fields,
              size_t n, void *target);

/* Kinds of members. */
int v1_bool(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f,
            void *target);
int v1_number(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f,
              void *target);
int v1_text(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f,
            void *target); /* struct span, without NUL */
int v1_bytes(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f,
             void *target); /* struct span, NUL too */
int v1_base64(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f,
              void *target); /* struct span */
int v1_words(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f,
             void *target); /* an array of struct span */

/* Refuses with the path: "limits.wall_us: SENTENCE". Returns -1. */
__attribute__((format(printf, 3, 4))) int v1_refuse(struct v1_reader *r, const struct v1_place *at, const char *format,
                                                    ...);
int v1_refuse_memory(struct v1_reader *r);

/* Refuses a value of another type: "a string is needed, and this is a number". */
int v1_refuse_type(struct v1_reader *r, const struct v1_place *at, const char *needed, const json_t *value);

/* Memory of the request: n zeroed items. NULL: refused. */
void *v1_array(struct v1_reader *r, size_t n, size_t size);

/* Makes the request the owner of memory. 0, or -1: refused, and the memory is freed. */
int v1_own(struct v1_reader *r, void *memory);
