/* When there is nothing to show but why: a refusal by the server, or a failure on the way to it. */
#pragma once

#include "proto/base/err.h"
#include "proto/wire/answer.h"

#include <stdbool.h>

/* All print one line, or one JSON object, and return the exit code of a refusal. */

/* What the command line named can't be read. */
int refuse_input(bool json, const struct err *why);

/* The server can't be asked, or its answer not be had. */
int refuse_connection(bool json, const struct err *why);

/* The server's refusal; code is that of hatchery_v1_Error_Code. */
int refuse_error(bool json, int code, const char *message, uint64_t retry_after_ms);

/* For an answer that is an Error, or none that was asked for. */
int refuse_answer(bool json, const struct answer *a);
