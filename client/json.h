/* The command's JSON: the fields of hatchery.proto by their names, bytes as base64, made with jansson. */
#pragma once

#include "proto/base/err.h"
#include "proto/wire/answer.h"

#include <jansson.h>

/* Each returns an object that the caller owns, or NULL when memory ran out. */
json_t *json_of_result(const struct answer *a);
json_t *json_of_result_stages(const hatchery_v1_Stages *s);
json_t *json_of_status(const struct answer *a);
/* The list that `hatchery languages` shows; with verbose, also the preloaded modules. */
json_t *json_of_languages(const struct answer *a, bool verbose);
json_t *json_of_pong(const struct answer *a, const char *address, uint64_t round_trip_us);
json_t *json_of_error(const char *code, const char *message, uint64_t retry_after_ms);

/* Prints the object and a newline to standard output, and releases it. NULL is reported as lack of memory. */
int json_print(json_t *object, struct err *e);
