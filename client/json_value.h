/* The parts of the command's JSON. Each function returns NULL when memory runs out. Putting NULL into an object or list
 * makes the whole object or list NULL. */
#pragma once

#include "proto/base/span.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* A server's strings may not be UTF-8, but jansson requires UTF-8. So this repairs them. */
json_t *json_of_text(const void *data, size_t len);
json_t *json_of_string(const char *text);

/* As base64. */
json_t *json_of_bytes(struct span s);

/* A number too large for jansson becomes INT64_MAX. */
json_t *json_of_number(uint64_t n);

struct json_member {
        const char *name;
        json_t *value; /* json_of_members takes ownership */
};

/* An object of its members in their order. Takes ownership of all values, even if it fails. */
json_t *json_of_members(const struct json_member *members, size_t n);

#define JSON_OBJECT(members) json_of_members(members, sizeof(members) / sizeof(members)[0])

/* Adds a value to a list, and takes ownership of the value. Returns the list; or NULL, and then has freed the list. */
json_t *json_with(json_t *list, json_t *value);
