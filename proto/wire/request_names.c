/* The forms of names that a caller chooses: see request_parts.h. The names are written to log lines and used as
 * keys of tables, so no name may hold a space or a control character. Pure. */
#include "proto/wire/request_parts.h"

#include <errno.h>
#include <stdbool.h>

static bool is_visible(uint8_t c)
{
        return c > ' ' && c < 0x7f;
}

/* Not isalnum, because isalnum depends on the locale. */
static bool is_of_run_id(uint8_t c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

int request_check_visible(const char *field, const char *message, struct span text, struct err *e)
{
        for (size_t i = 0; i < text.len; i++)
                if (!is_visible(text.data[i]))
                        return err_say(e, EPROTO,
                                       "field %s of %s has byte 0x%02x at place %zu; it may have visible characters of "
                                       "ASCII only, and no space",
                                       field, message, text.data[i], i);
        return 0;
}

int request_check_run_id(const char *message, struct span id, struct err *e)
{
        for (size_t i = 0; i < id.len; i++)
                if (!is_of_run_id(id.data[i]))
                        return err_say(e, EPROTO,
                                       "field run_id of %s has byte 0x%02x at place %zu; it may have A to Z, a to z, 0 "
                                       "to 9, _ and - only",
                                       message, id.data[i], i);
        return 0;
}
