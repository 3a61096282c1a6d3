/* Is the server ready for the requests that a load balancer would send to it? Pure. */
#pragma once

#include "proto/wire/answer.h"

#include <stdbool.h>
#include <stdio.h>

enum readiness_lines { READINESS_FAILED, READINESS_ALL };

/* One check, as one line: "[+]pool ok", "[-]pool failed: why". fault is NULL: the check has passed. */
void readiness_line(FILE *to, const char *check, const char *fault);

/* Goes through the checks of a status. Writes a line for each check, or for each that failed. to may be NULL.
 *
 * The server is ready if it has come up, is not about to end, has a language that is ready, and each required language
 * is ready. */
bool readiness_check(const struct answer *status, enum readiness_lines lines, FILE *to);
