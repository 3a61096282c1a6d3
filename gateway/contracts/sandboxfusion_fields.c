/* Reading fields: see sandboxfusion_fields.h. */
#include "gateway/contracts/sandboxfusion_fields.h"

#include "gateway/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define US 1e6

enum { MOST_SECONDS = 1000000000 };

void fusion_fault(struct fusion_fields *f, const char *type, const char *field, json_t *item, const char *format, ...)
{
        char text[512];
        va_list args;

        if (f->failed) {
                json_decref(item);
                return;
        }
        f->failed = true;
        va_start(args, format);
        int n = vsnprintf(text, sizeof text, format, args);
        va_end(args);
        size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;

        json_t *loc = json_pack("[s]", "body");
        if (field)
                (void)json_array_append_new(loc, json_string(field)); /* if loc is NULL, this only frees the string */
        if (item)
                (void)json_array_append_new(loc, item);
        f->fault = json_pack("{s:s, s:o, s:o}", "type", type, "loc", loc, "msg",
                             json_text((struct span){ (const uint8_t *)text, len }, true));
}

void fusion_fields_fini(struct fusion_fields *f)
{
        json_decref(f->fault);
        *f = (struct fusion_fields){ 0 };
}

struct span fusion_text(struct fusion_fields *f, const char *name, bool may_be_null, const char *fallback)
{
        const json_t *value = json_object_get(f->body, name);
        const struct span nothing = span_of_text(fallback ? fallback : "");

        if (json_is_string(value))
                return json_span(value);
        if (!value && !fallback)
                fusion_fault(f, "missing", name, NULL, "%s is missing; it is needed", name);
        else if (value && !(may_be_null && json_is_null(value)))
                fusion_fault(f, "string_type", name, NULL, "%s is not a string%s", name, may_be_null ? " or null" : "");
        return nothing;
}

/* A number, also one that is written as a string, as pydantic takes it. *value is a new reference. */
static bool number_of(const json_t *from, json_t **value)
{
        struct json_fault ignored;

        *value = json_is_string(from) ? json_read(json_span(from), &ignored) : json_deep_copy(from);
        if (json_is_number(*value))
                return true;
        json_decref(*value);
        *value = NULL;
        return false;
}

int64_t fusion_time(struct fusion_fields *f, const char *name, int64_t fallback_us, bool may_be_zero)
{
        const json_t *given = json_object_get(f->body, name);
        json_t *number;

        if (!given)
                return fallback_us;
        if (!number_of(given, &number)) {
                fusion_fault(f, "float_type", name, NULL, "%s is not a number; it is a time in seconds", name);
                return fallback_us;
        }
        double seconds = json_number_value(number);
        json_decref(number);
        if (may_be_zero && seconds <= 0)
                return 0;
        if (!(seconds <= MOST_SECONDS)) {
                fusion_fault(f, "less_than_equal", name, NULL, "%s is %g seconds; %d are the most", name, seconds,
                             MOST_SECONDS);
                return fallback_us;
        }
        int64_t us = (int64_t)llround(seconds * US);
        if (us >= 1)
                return us;
        fusion_fault(f, "greater_than", name, NULL, "%s is %g seconds; a run needs at least 1 us", name, seconds);
        return fallback_us;
}

int64_t fusion_integer(struct fusion_fields *f, const char *name, int64_t fallback)
{
        const json_t *given = json_object_get(f->body, name);
        json_t *number;

        if (!given)
                return fallback;
        if (!number_of(given, &number)) {
                fusion_fault(f, "int_type", name, NULL, "%s is not a number", name);
                return fallback;
        }
        double real = json_number_value(number);
        int64_t value = json_is_integer(number) ? json_integer_value(number) : fabs(real) < 1e15 ? (int64_t)real : 0;
        bool whole = json_is_integer(number) || (fabs(real) < 1e15 && real == trunc(real));
        json_decref(number);
        if (whole)
                return value;
        fusion_fault(f, "int_from_float", name, NULL, "%s is %g; a whole number is needed", name, real);
        return fallback;
}

const json_t *fusion_texts(struct fusion_fields *f, const char *name, bool must_be, size_t most)
{
        const json_t *list = json_object_get(f->body, name), *item;
        size_t i;

        if (!list) {
                if (must_be)
                        fusion_fault(f, "missing", name, NULL, "%s is missing; it is needed", name);
                return NULL;
        }
        if (!json_is_array(list)) {
                fusion_fault(f, "list_type", name, NULL, "%s is not an array", name);
                return NULL;
        }
        if (json_array_size(list) > most) {
                fusion_fault(f, "too_long", name, NULL, "%s has %zu items; %zu are the most", name,
                             json_array_size(list), most);
                return NULL;
        }
        json_array_foreach(list, i, item) if (!json_is_string(item))
        {
                fusion_fault(f, "string_type", name, json_integer((json_int_t)i), "item %zu of %s is not a string", i,
                             name);
                return NULL;
        }
        return list;
}

const json_t *fusion_object(struct fusion_fields *f, const char *name)
{
        const json_t *value = json_object_get(f->body, name);

        if (!value || json_is_object(value))
                return value;
        fusion_fault(f, "dict_type", name, NULL, "%s is not an object", name);
        return NULL;
}
