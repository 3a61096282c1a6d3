/* What the command's JSON objects are made of. Each function returns NULL when memory ran out; a NULL that is put into
 * an object or a list makes the whole of it NULL. */
#pragma once

#include "proto/base/span.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Strings of a server need not be UTF-8, which jansson insists on: they are repaired. */
json_t *json_of_text(const void *data, size_t len);
json_t *json_of_string(const char *text);

/* As base64. */
json_t *json_of_bytes(struct span s);

/* What jansson can't hold becomes INT64_MAX. */
json_t *json_of_number(uint64_t n);

struct json_member {
        const char *name;
        json_t *value; /* consumed */
};

/* An object of its members in their order. All values are consumed, whatever happens. */
json_t *json_of_members(const struct json_member *members, size_t n);

#define JSON_OBJECT(members) json_of_members(members, sizeof(members) / sizeof(members)[0])

/* Adds a value, which is consumed, to a list. Returns the list, or NULL, and then the list is gone. */
json_t *json_with(json_t *list, json_t *value);
