/* Errors as values: see err.h. */
#include "proto/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Cuts the end of the sentence if it does not fit: the front says most. */
static void append(char *text, size_t used, const char *suffix)
{
        size_t len = strlen(suffix), room = ERR_TEXT_SIZE - 1 - used;

        if (len > room)
                len = room;
        memcpy(text + used, suffix, len);
        text[used + len] = '\0';
}

__attribute__((format(printf, 2, 0))) static size_t print(char *text, const char *fmt, va_list args)
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
                return -EIO; /* the code was not kept, but it stays a failure */

        char below[ERR_TEXT_SIZE + 2];
        snprintf(below, sizeof below, ": %s", e->text);

        va_list args;
        va_start(args, fmt);
        size_t used = print(e->text, fmt, args);
        va_end(args);

        append(e->text, used, below);
        return -e->code;
}

int err_told(int told)
{
        enum { LAST = 4095 }; /* the kernel's own bound for errnos and error pointers */
        if (told < -LAST || told > LAST || told == 0)
                return EPROTO;
        return told < 0 ? -told : told;
}
