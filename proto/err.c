/* Errors as values: see err.h. */
#include "proto/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void append(char *text, size_t used, const char *suffix)
{
        if (used < ERR_TEXT_SIZE)
                snprintf(text + used, ERR_TEXT_SIZE - used, "%s", suffix);
}

static size_t print(char *text, const char *fmt, va_list args)
{
        int n = vsnprintf(text, ERR_TEXT_SIZE, fmt, args);
        if (n < 0)
                return 0;
        return (size_t)n < ERR_TEXT_SIZE ? (size_t)n : ERR_TEXT_SIZE - 1;
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
        if (!e)
                return -code;

        va_list args;
        va_start(args, fmt);
        size_t used = print(e->text, fmt, args);
        va_end(args);

        char reason[96];
        snprintf(reason, sizeof reason, ": %s", strerror(code));
        append(e->text, used, reason);
        e->code = code;
        return -code;
}

int err_say(struct err *e, int code, const char *fmt, ...)
{
        if (!e)
                return -code;

        va_list args;
        va_start(args, fmt);
        print(e->text, fmt, args);
        va_end(args);

        e->code = code;
        return -code;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
        if (!e)
                return 0;

        char below[ERR_TEXT_SIZE];
        snprintf(below, sizeof below, ": %s", e->text);

        va_list args;
        va_start(args, fmt);
        size_t used = print(e->text, fmt, args);
        va_end(args);

        append(e->text, used, below);
        return -e->code;
}
