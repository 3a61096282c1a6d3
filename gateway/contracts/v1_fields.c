/* Members of JSON objects by tables: see v1_fields.h. */
#include "gateway/contracts/v1_fields.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/utf8.h"

/* ---------------------------------------------------------------- refusals */

enum { NAME_SHOWN = 64, PLACES_SHOWN = 8, WORD_MOST = 31 };

static size_t write_place(char *text, size_t room, const struct v1_place *at, bool is_first)
{
        int n = 0;

        if (!at->name)
                n = snprintf(text, room, "[%zu]", at->index);
        else if (at->is_quoted)
                n = snprintf(text, room, "[\"%.*s\"]", NAME_SHOWN, at->name);
        else
                n = snprintf(text, room, "%s%.*s", is_first ? "" : ".", NAME_SHOWN, at->name);
        return n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

/* "files["a.py"].mode: ". Empty for the body itself. */
static void write_path(char *text, size_t room, const struct v1_place *at)
{
        const struct v1_place *chain[PLACES_SHOWN];
        size_t n = 0, len = 0;

        for (; at && at->above && n < PLACES_SHOWN; at = at->above)
                chain[n++] = at;
        text[0] = '\0';
        for (size_t i = n; i > 0; i--)
                len += write_place(text + len, room - len, chain[i - 1], i == n);
        if (n > 0)
                snprintf(text + len, room - len, ": ");
        utf8_repair(text);
}

int v1_refuse(struct v1_reader *r, const struct v1_place *at, const char *format, ...)
{
        char path[200], text[300];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        utf8_repair(text);
        write_path(path, sizeof path, at);
        failure_set(r->why, 400, "INVALID_ARGUMENT", "%s%s", path, text);
        return -1;
}

int v1_refuse_memory(struct v1_reader *r)
{
        failure_set(r->why, 503, "RESOURCE_EXHAUSTED",
                    "this server has no memory for the request; send it again later");
        r->why->retry_after_ms = 1000;
        return -1;
}

static const char *type_name(const json_t *value)
{
        switch (json_typeof(value)) {
        case JSON_OBJECT:
                return "an object";
        case JSON_ARRAY:
                return "a list";
        case JSON_STRING:
                return "a string";
        case JSON_INTEGER:
                return "a whole number";
        case JSON_REAL:
                return "a number with a point or an exponent";
        case JSON_TRUE:
        case JSON_FALSE:
                return "true or false";
        case JSON_NULL:
                break;
        }
        return "null";
}

int v1_refuse_type(struct v1_reader *r, const struct v1_place *at, const char *needed, const json_t *value)
{
        return v1_refuse(r, at, "%s is needed, and this is %s", needed, type_name(value));
}

/* ---------------------------------------------------------------- memory */

int v1_own(struct v1_reader *r, void *memory)
{
        struct v1_request *owner = r->owner;
        void **more = owner->owned;

        if ((owner->n_owned & (owner->n_owned - 1)) == 0) { /* 0 and the powers of two: the array is full */
                size_t room = owner->n_owned ? 2 * owner->n_owned : 1;
                more = realloc(owner->owned, room * sizeof *more);
        }
        if (!more) {
                free(memory);
                return v1_refuse_memory(r);
        }
        owner->owned = more;
        owner->owned[owner->n_owned++] = memory;
        return 0;
}

void *v1_array(struct v1_reader *r, size_t n, size_t size)
{
        void *array = calloc(n ? n : 1, size);

        if (!array) {
                v1_refuse_memory(r);
                return NULL;
        }
        return v1_own(r, array) < 0 ? NULL : array;
}

/* ---------------------------------------------------------------- unknown names */

static size_t least(size_t a, size_t b)
{
        return a < b ? a : b;
}

/* How many letters must be put in, left out or changed. Both words are short. */
static size_t distance(const char *a, const char *b)
{
        const size_t a_len = strlen(a), b_len = strlen(b);
        size_t row[WORD_MOST + 1];

        for (size_t j = 0; j <= b_len; j++)
                row[j] = j;
        for (size_t i = 1; i <= a_len; i++) {
                size_t diagonal = row[0];
                row[0] = i;
                for (size_t j = 1; j <= b_len; j++) {
                        size_t changed = diagonal + (a[i - 1] != b[j - 1]);
                        diagonal = row[j];
                        row[j] = least(changed, least(row[j], row[j - 1]) + 1);
                }
        }
        return row[b_len];
}

static int refuse_unknown(struct v1_reader *r, const struct v1_place *at, const char *name,
                          const struct v1_field *fields, size_t n)
{
        const struct v1_place place = { .above = at, .name = name };
        const char *nearest = fields[0].name;
        size_t best = SIZE_MAX;
        char cut[WORD_MOST + 1];

        snprintf(cut, sizeof cut, "%s", name);
        for (size_t i = 0; i < n; i++) {
                size_t d = distance(cut, fields[i].name);
                if (d < best) {
                        best = d;
                        nearest = fields[i].name;
                }
        }
        return v1_refuse(r, &place, "there is no such field; the nearest name is \"%s\"", nearest);
}

/* ---------------------------------------------------------------- members */

static const struct v1_field *find(const struct v1_field *fields, size_t n, const char *name)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(fields[i].name, name) == 0)
                        return &fields[i];
        return NULL;
}

int v1_object(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *fields,
              size_t n, void *target)
{
        const char *name;
        json_t *member;

        if (!json_is_object(value))
                return v1_refuse_type(r, at, "an object", value);
        json_object_foreach((json_t *)(uintptr_t)value, name, member)
        {
                const struct v1_field *field = find(fields, n, name);
                const struct v1_place place = { .above = at, .name = name };
                if (!field)
                        return refuse_unknown(r, at, name, fields, n);
                if (!json_is_null(member) && field->read(r, &place, member, field, target) < 0)
                        return -1;
        }
        return 0;
}

int v1_bool(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f, void *target)
{
        if (!json_is_boolean(value))
                return v1_refuse_type(r, at, "true or false", value);
        *(bool *)((char *)target + f->offset) = json_is_true(value);
        return 0;
}

int v1_number(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f,
              void *target)
{
        if (!json_is_integer(value))
                return v1_refuse_type(r, at, "a whole number", value);
        const json_int_t n = json_integer_value(value);
        if (n < 0 || (uint64_t)n > f->most)
                return v1_refuse(r, at, "%lld is out of range; 0 to %llu are possible", (long long)n,
                                 (unsigned long long)f->most);
        if (f->width == sizeof(uint32_t))
                *(uint32_t *)(void *)((char *)target + f->offset) = (uint32_t)n;
        else
                *(uint64_t *)(void *)((char *)target + f->offset) = (uint64_t)n;
        return 0;
}

static int take_string(struct v1_reader *r, const struct v1_place *at, const json_t *value, uint64_t most,
                       struct span *out)
{
        if (!json_is_string(value))
                return v1_refuse_type(r, at, "a string", value);
        *out = json_span(value);
        if (memchr(out->data, '\0', out->len))
                return v1_refuse(r, at, "the character NUL (\\u0000) is not possible here");
        if (most && out->len > most)
                return v1_refuse(r, at, "the text has %zu bytes, and %llu are possible", out->len,
                                 (unsigned long long)most);
        return 0;
}

int v1_text(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f, void *target)
{
        return take_string(r, at, value, f->most, (struct span *)(void *)((char *)target + f->offset));
}

/* Marks that the bytes are there. They may come once, as text or as base64. */
static int come_once(struct v1_reader *r, const struct v1_place *at, const struct v1_field *f, void *target)
{
        bool *has = (bool *)((char *)target + f->has);

        if (*has)
                return v1_refuse(r, at, "give these bytes once, as text or as base64");
        *has = true;
        return 0;
}

int v1_bytes(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f,
             void *target)
{
        if (!json_is_string(value))
                return v1_refuse_type(r, at, "a string", value);
        *(struct span *)(void *)((char *)target + f->offset) = json_span(value);
        return come_once(r, at, f, target);
}

int v1_base64(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f,
              void *target)
{
        uint8_t *bytes = NULL;
        size_t len = 0;

        if (!json_is_string(value))
                return v1_refuse_type(r, at, "a string of base64", value);
        int result = base64_decode(json_span(value), &bytes, &len);
        if (result == -ENOMEM)
                return v1_refuse_memory(r);
        if (result < 0)
                return v1_refuse(r, at, "this is not base64 (A to Z, a to z, 0 to 9, +, /, filled up with =)");
        if (v1_own(r, bytes) < 0)
                return -1;
        *(struct span *)(void *)((char *)target + f->offset) = (struct span){ bytes, len };
        return come_once(r, at, f, target);
}

int v1_words(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f,
             void *target)
{
        if (!json_is_array(value))
                return v1_refuse_type(r, at, "a list of strings", value);
        const size_t n = json_array_size(value);
        if (n > f->most)
                return v1_refuse(r, at, "the list has %zu items, and %llu are possible", n,
                                 (unsigned long long)f->most);
        struct span *words = v1_array(r, n, sizeof *words);
        if (!words)
                return -1;
        for (size_t i = 0; i < n; i++) {
                const struct v1_place place = { .above = at, .index = i };
                if (take_string(r, &place, json_array_get(value, i), 0, &words[i]) < 0)
                        return -1;
        }
        *(struct span **)(void *)((char *)target + f->offset) = words;
        *(size_t *)(void *)((char *)target + f->count) = n;
        return 0;
}
