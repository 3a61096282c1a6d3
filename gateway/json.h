/* JSON from clients, read by jansson: strict and bounded. A fault names the field that is wrong. */
#pragma once

#include "proto/base/span.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        JSON_MAX_DEPTH = 64,
        /* Values and keys in one text. The bound is needed because jansson takes up to 400 bytes of memory for an empty
         * object, which has 3 bytes in the text. */
        JSON_MAX_VALUES = 65536,
};

/* Gives jansson's tables a random seed. To be called once, before the first value is made. Without this call, jansson
 * would open a file, and a confined process must not open files. */
void json_prepare(void);

/* Says where and what: "files[3].content: a string is needed". */
struct json_fault {
        char text[256];
        size_t at; /* byte of the text at which reading stopped; 0 for faults of meaning */
};

/* Parses one value and nothing after it. Refused: duplicate keys, lone surrogates, invalid UTF-8, numbers out of range,
 * nesting deeper than JSON_MAX_DEPTH, more than JSON_MAX_VALUES values, bytes after the value. NUL in strings is
 * allowed. NULL: fault is filled. The caller has one reference. */
json_t *json_read(struct span text, struct json_fault *fault);

/* A string's bytes, NUL included; borrowed from value. */
struct span json_span(const json_t *value);

/* Decodes base64: the standard alphabet, padded, strictly; white space is refused. *out is fresh memory that the caller
 * frees, never NULL on success. -EINVAL, -ENOMEM. */
int base64_decode(struct span text, uint8_t **out, size_t *len);

/* The bytes in standard base64, as a JSON string. NULL: no memory. */
json_t *json_base64(struct span bytes);

/* bytes as a JSON string. With replace, bytes that are not UTF-8 become U+FFFD. Without replace, such bytes give NULL.
 * NULL also without memory. */
json_t *json_text(struct span bytes, bool replace);
