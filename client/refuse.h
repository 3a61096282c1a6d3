/* Reports requests without a result: the server refused, or could not be reached. */
#pragma once

#include "proto/base/err.h"
#include "proto/wire/answer.h"

#include <stdbool.h>

/* Each function prints one line, or one JSON object, and returns the exit code of a refusal. */

/* A file that the command line names can't be read. */
int refuse_input(bool json, const struct err *why);

/* The server can't be asked, or gives no answer. */
int refuse_connection(bool json, const struct err *why);

/* The server's refusal; code is that of hatchery_v1_Error_Code. */
int refuse_error(bool json, int code, const char *message, uint64_t retry_after_ms);

/* The answer is an Error, or of a kind that was not asked for. */
int refuse_answer(bool json, const struct answer *a);
