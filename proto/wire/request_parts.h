/* What the files that decode requests share: private to request*.c. */
#pragma once

#include "proto/base/err.h"
#include "proto/base/span.h"
#include "proto/wire/request.h"

/* Decodes an Execute into the struct request at target. */
int request_add_execute(void *target, struct span content, struct err *e);

/* -EPROTO with a sentence that names field and message, unless text has only visible characters of ASCII. Empty text is
 * fine. */
int request_check_visible(const char *field, const char *message, struct span text, struct err *e);

/* The same check for a run_id, which may have only letters, digits, "_" and "-". */
int request_check_run_id(const char *message, struct span id, struct err *e);
