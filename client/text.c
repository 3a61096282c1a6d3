/* Text for people: see text.h. */
#include "client/text.h"

#include "proto/base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 1024 };

const char *text_us(char out[TEXT_SIZE], uint64_t us)
{
        unsigned long long n = us;
        double ms = (double)us / 1e3;

        if (n >= 1000000)
                snprintf(out, TEXT_SIZE, n % 1000000 == 0 ? "%.0f s" : "%.3f s", (double)us / 1e6);
        else if (n >= 1000)
                snprintf(out, TEXT_SIZE, n % 1000 == 0 ? "%.0f ms" : n < 10000 ? "%.2f ms" : "%.1f ms", ms);
        else
                snprintf(out, TEXT_SIZE, "%llu us", n);
        return out;
}

const char *text_bytes(char out[TEXT_SIZE], uint64_t bytes)
{
        static const char *const units[] = { "bytes", "KiB", "MiB", "GiB" };
        unsigned shift = 0;
        size_t unit = 0;
        while (unit < 3 && bytes >> shift >= 1024) {
                shift += 10;
                unit++;
        }

        uint64_t one = (uint64_t)1 << shift;
        if (bytes == 1)
                snprintf(out, TEXT_SIZE, "1 byte");
        else
                snprintf(out, TEXT_SIZE, bytes % one == 0 ? "%.0f %s" : "%.1f %s", (double)bytes / (double)one,
                         units[unit]);
        return out;
}

void text_clean(char *text)
{
        for (unsigned char *c = (unsigned char *)text; *c; c++) {
                if (*c == '\n' || *c == '\t')
                        *c = ' ';
                else if (*c < ' ' || *c == 0x7f)
                        *c = '?';
                else if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
                        c[0] = c[1] = '?'; /* U+0080 to U+009F: more control characters */
        }
}

char *text_to_utf8(const uint8_t *data, size_t len, size_t *out_len)
{
        static const char replacement[] = "\xef\xbf\xbd";
        if (len > SIZE_MAX / 3 - 1)
                return NULL;
        char *out = malloc(len * 3 + 1);
        if (!out)
                return NULL;

        size_t to = 0;
        for (size_t i = 0; i < len;) {
                size_t valid = utf8_prefix(data + i, len - i);
                memcpy(out + to, data + i, valid);
                to += valid;
                i += valid;
                if (i < len) {
                        memcpy(out + to, replacement, 3);
                        to += 3;
                        i++;
                }
        }
        out[to] = '\0';
        *out_len = to;
        return out;
}

void text_say(const char *fmt, ...)
{
        char line[LINE_SIZE];
        va_list args;
        va_start(args, fmt);
        vsnprintf(line, sizeof line, fmt, args);
        va_end(args);

        text_clean(line);
        fprintf(stderr, "hatchery: %s\n", line);
}
