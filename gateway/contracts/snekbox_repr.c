/* Values as Python's repr shows them, for descriptions of faults: see snekbox_parts.h. */
#include "gateway/contracts/snekbox_parts.h"
#include "gateway/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A text that grows up to its bound, and then takes nothing more. */
struct text {
        char *bytes;
        size_t len;
        bool is_cut;
};

static void put(struct text *t, const char *bytes, size_t len)
{
        if (t->is_cut || len > SNEKBOX_REPR_MAX - t->len) {
                t->is_cut = true;
                return;
        }
        memcpy(t->bytes + t->len, bytes, len);
        t->len += len;
}

static void put_text(struct text *t, const char *text)
{
        put(t, text, strlen(text));
}

/* ---------------------------------------------------------------- strings */

/* The character at the start of valid UTF-8. */
static uint32_t decode(const uint8_t *at, size_t *len)
{
        uint32_t c = at[0];

        *len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if (*len > 1)
                c &= 0xffU >> (*len + 1);
        for (size_t i = 1; i < *len; i++)
                c = c << 6 | (at[i] & 0x3fU);
        return c;
}

/* Does Python's repr show this character as it is? The table has the common separators, control characters, format
 * characters and private characters, which repr escapes. Unassigned characters count as printable. */
static bool is_printable(uint32_t c)
{
        static const struct {
                uint32_t first, last;
        } others[] = {
                { 0, 0x1f },        { 0x7f, 0xa0 },     { 0xad, 0xad },       { 0x61c, 0x61c },
                { 0x1680, 0x1680 }, { 0x180e, 0x180e }, { 0x2000, 0x200f },   { 0x2028, 0x202f },
                { 0x205f, 0x206f }, { 0x3000, 0x3000 }, { 0xd800, 0xf8ff },   { 0xfeff, 0xfeff },
                { 0xfff9, 0xfffb }, { 0xfffe, 0xffff }, { 0xe0000, 0xe007f }, { 0xf0000, 0x10ffff },
        };

        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
                if (c >= others[i].first && c <= others[i].last)
                        return false;
        return true;
}

static void put_escape(struct text *t, uint32_t c)
{
        char escape[16];

        if (c < 0x100)
                snprintf(escape, sizeof escape, "\\x%02" PRIx32, c);
        else if (c < 0x10000)
                snprintf(escape, sizeof escape, "\\u%04" PRIx32, c);
        else
                snprintf(escape, sizeof escape, "\\U%08" PRIx32, c);
        put_text(t, escape);
}

static void put_character(struct text *t, const uint8_t *at, size_t len, uint32_t c, char quote)
{
        char escaped[] = { '\\', (char)c, '\0' };

        if (c == '\n')
                put_text(t, "\\n");
        else if (c == '\r')
                put_text(t, "\\r");
        else if (c == '\t')
                put_text(t, "\\t");
        else if (c == '\\' || c == (uint32_t)quote)
                put_text(t, escaped);
        else if (is_printable(c))
                put(t, (const char *)at, len);
        else
                put_escape(t, c);
}

/* A string gets double quotes if it holds single quotes and no double quotes, and single quotes otherwise. */
static void put_string(struct text *t, struct span s)
{
        bool is_double = s.len > 0 && memchr(s.data, '\'', s.len) && !memchr(s.data, '"', s.len);
        char quote = is_double ? '"' : '\'';

        put(t, &quote, 1);
        for (size_t i = 0, len; i < s.len && !t->is_cut; i += len) {
                uint32_t c = decode(s.data + i, &len);
                put_character(t, s.data + i, len, c, quote);
        }
        put(t, &quote, 1);
}

/* ---------------------------------------------------------------- numbers */

/* The number as "d.ddde-05", with the fewest digits that give the same number again. Returns how many. */
static int shortest(double value, char *text, size_t size)
{
        enum { MOST = 17 };
        int digits = 0;

        do
                snprintf(text, size, "%.*e", digits++, value);
        while (digits < MOST && strtod(text, NULL) != value);
        return digits;
}

/* As Python: plain from 1e-4 to below 1e16, with at least one digit behind the point. */
static void put_real(struct text *t, double value)
{
        char text[64], plain[64];
        int digits = shortest(value, text, sizeof text);
        int exponent = atoi(strchr(text, 'e') + 1);
        int behind = digits - 1 - exponent;

        snprintf(plain, sizeof plain, "%.*f", behind < 1 ? 1 : behind, value);
        put_text(t, exponent < -4 || exponent >= 16 ? text : plain);
}

/* ---------------------------------------------------------------- values */

static void put_value(struct text *t, const json_t *value);

static void put_array(struct text *t, const json_t *array)
{
        put_text(t, "[");
        for (size_t i = 0; i < json_array_size(array) && !t->is_cut; i++) {
                if (i > 0)
                        put_text(t, ", ");
                put_value(t, json_array_get(array, i));
        }
        put_text(t, "]");
}

static void put_object(struct text *t, const json_t *object)
{
        json_t *borrowed = (json_t *)(uintptr_t)object; /* jansson's iterators take no const */
        const char *comma = "";

        put_text(t, "{");
        for (void *at = json_object_iter(borrowed); at && !t->is_cut; at = json_object_iter_next(borrowed, at)) {
                put_text(t, comma);
                put_string(t, (struct span){ (const uint8_t *)json_object_iter_key(at), json_object_iter_key_len(at) });
                put_text(t, ": ");
                put_value(t, json_object_iter_value(at));
                comma = ", ";
        }
        put_text(t, "}");
}

/* The depth of values is bounded by json_read. */
static void put_value(struct text *t, const json_t *value)
{
        char number[32];

        switch (json_typeof(value)) {
        case JSON_OBJECT:
                put_object(t, value);
                break;
        case JSON_ARRAY:
                put_array(t, value);
                break;
        case JSON_STRING:
                put_string(t, json_span(value));
                break;
        case JSON_INTEGER:
                snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
                put_text(t, number);
                break;
        case JSON_REAL:
                put_real(t, json_real_value(value));
                break;
        case JSON_TRUE:
                put_text(t, "True");
                break;
        case JSON_FALSE:
                put_text(t, "False");
                break;
        case JSON_NULL:
                put_text(t, "None");
                break;
        }
}

char *snekbox_repr(const json_t *value)
{
        static const char more[] = "...";
        struct text t = { .bytes = malloc(SNEKBOX_REPR_MAX + sizeof more) };

        if (!t.bytes)
                return NULL;
        put_value(&t, value);
        memcpy(t.bytes + t.len, t.is_cut ? more : "", t.is_cut ? sizeof more : 1);
        return t.bytes;
}
