/* Refusals: see refusal.h. */
#include "pool/base/refusal.h"

#include <stdarg.h>
#include <stdio.h>

int refuse(struct refusal *r, enum refusal_code code, const char *fmt, ...)
{
        va_list args;
        va_start(args, fmt);
        if (vsnprintf(r->text, sizeof r->text, fmt, args) < 0)
                r->text[0] = '\0';
        va_end(args);
        r->code = code;
        r->retry_after_ms = 0;
        return REFUSED;
}
