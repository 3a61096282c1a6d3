/* Invariants: see invariant.h. */
#include "pool/base/invariant.h"

#include "proto/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void invariant_broken(const char *file, int line, const char *fmt, ...)
{
        const struct log log = { .who = "pool", .level = LOG_LEVEL_ERROR };
        char what[256];
        va_list args;

        va_start(args, fmt);
        vsnprintf(what, sizeof what, fmt, args);
        va_end(args);
        log_error(&log, "%s:%d: internal error, the pool ends: %s", file, line, what);
        abort();
}
