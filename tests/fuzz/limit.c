/* Fuzzes values with units: proto/base/limit, as the configuration and the command line use it. Accepted values are
 * compared with the result of 128-bit arithmetic. */
#include "proto/base/limit.h"

#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int64_t factor(enum limit_unit unit, const char *suffix)
{
        static const struct {
                enum limit_unit unit;
                const char *suffix;
                int64_t factor;
        } table[] = {
                { LIMIT_UNIT_US, "", 1000000 },       { LIMIT_UNIT_US, "us", 1 },
                { LIMIT_UNIT_US, "ms", 1000 },        { LIMIT_UNIT_US, "s", 1000000 },
                { LIMIT_UNIT_US, "m", 60000000 },     { LIMIT_UNIT_US, "min", 60000000 },
                { LIMIT_UNIT_US, "h", 3600000000 },   { LIMIT_UNIT_BYTES, "", 1 },
                { LIMIT_UNIT_BYTES, "B", 1 },         { LIMIT_UNIT_BYTES, "K", 1 << 10 },
                { LIMIT_UNIT_BYTES, "M", 1 << 20 },   { LIMIT_UNIT_BYTES, "G", 1 << 30 },
                { LIMIT_UNIT_BYTES, "KB", 1 << 10 },  { LIMIT_UNIT_BYTES, "MB", 1 << 20 },
                { LIMIT_UNIT_BYTES, "GB", 1 << 30 },  { LIMIT_UNIT_BYTES, "KiB", 1 << 10 },
                { LIMIT_UNIT_BYTES, "MiB", 1 << 20 }, { LIMIT_UNIT_BYTES, "GiB", 1 << 30 },
                { LIMIT_UNIT_COUNT, "", 1 },
        };
        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
                if (table[i].unit == unit && strcasecmp(table[i].suffix, suffix) == 0)
                        return table[i].factor;
        return 0;
}

/* Returns the value of a text, or -1 if the text is no valid value. */
static int64_t expected(enum limit_unit unit, const char *text)
{
        static const char all[] = "0123456789";
        unsigned __int128 number = 0, part = 0, of = 1;
        size_t digits = strspn(text, all), more = 0;
        bool point = digits > 0 && unit != LIMIT_UNIT_COUNT && text[digits] == '.';
        if (point)
                more = strspn(text + digits + 1, all);
        int64_t f = factor(unit, text + digits + point + more);
        if (digits == 0 || f == 0 || (point && more == 0) || more > 9)
                return -1;
        for (size_t i = 0; i < more; i++) {
                part = part * 10 + (unsigned)(text[digits + 1 + i] - '0');
                of *= 10;
        }
        if (f == 1 && part > 0)
                return -1;
        for (size_t i = 0; i < digits; i++) {
                number = number * 10 + (unsigned)(text[i] - '0');
                if (number > INT64_MAX)
                        return -1;
        }
        number = number * (unsigned __int128)f + part * (unsigned __int128)f / of;
        return number > INT64_MAX ? -1 : (int64_t)number;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *text = fuzz_text(data, size);
        for (int unit = LIMIT_UNIT_US; unit <= LIMIT_UNIT_COUNT; unit++) {
                int64_t value = -1, want = expected((enum limit_unit)unit, text);
                int r = limit_parse((enum limit_unit)unit, text, &value);
                FUZZ_CHECK(want >= 0 ? r == 0 && value == want : r == -EINVAL);
        }
        free(text);
        return 0;
}
