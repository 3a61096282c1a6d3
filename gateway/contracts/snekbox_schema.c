/* The shape of a body of POST /eval: see snekbox_parts.h. If a body has several faults, the fault that is least deep in
 * the body is reported; of several such faults, the first. jsonschema's best_match chooses in this way. */
#include "gateway/contracts/snekbox_parts.h"
#include "gateway/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The pattern of paths, as Python shows it: no slash at the start, and no backslash before a zero. */
#define PATTERN "'^(?!/)(?!.*\\\\\\\\0).*$'"

/* The first fault that was found. */
struct schema {
        json_t *fault;
        bool no_memory;
};

/* "VALUE is not of type 'array'" */
static bool refuse(struct schema *s, const json_t *value, const char *what)
{
        char *repr = snekbox_repr(value), *text = NULL;

        if (repr && asprintf(&text, "%s %s", repr, what) < 0)
                text = NULL;
        s->fault = text ? json_string(text) : NULL;
        s->no_memory = !s->fault;
        free(text);
        free(repr);
        return false;
}

static bool is_type(struct schema *s, const json_t *value, json_type type)
{
        if (!value || json_typeof(value) == type)
                return true;
        return refuse(s, value,
                      type == JSON_STRING  ? "is not of type 'string'"
                      : type == JSON_ARRAY ? "is not of type 'array'"
                                           : "is not of type 'object'");
}

static bool are_type(struct schema *s, const json_t *array, json_type type)
{
        for (size_t i = 0; i < json_array_size(array); i++)
                if (!is_type(s, json_array_get(array, i), type))
                        return false;
        return true;
}

static bool has_paths(struct schema *s, const json_t *files)
{
        for (size_t i = 0; i < json_array_size(files); i++)
                if (!json_object_get(json_array_get(files, i), "path")) {
                        s->fault = json_string("'path' is a required property");
                        s->no_memory = !s->fault;
                        return false;
                }
        return true;
}

/* The pattern's ".*$" stops at the end of a line, and only the last byte may be a newline. */
static bool fits_pattern(struct span path)
{
        for (size_t i = 0; i < path.len; i++) {
                bool is_slash = i == 0 && path.data[i] == '/';
                bool is_zero = path.data[i] == '\\' && i + 1 < path.len && path.data[i + 1] == '0';
                bool is_line = path.data[i] == '\n' && i + 1 < path.len;
                if (is_slash || is_zero || is_line)
                        return false;
        }
        return true;
}

static bool are_files(struct schema *s, const json_t *files)
{
        for (size_t i = 0; i < json_array_size(files); i++) {
                const json_t *file = json_array_get(files, i), *path = json_object_get(file, "path");
                if (!is_type(s, path, JSON_STRING) || !is_type(s, json_object_get(file, "content"), JSON_STRING))
                        return false;
                if (!fits_pattern(json_span(path)))
                        return refuse(s, path, "does not match " PATTERN);
        }
        return true;
}

static bool check(struct schema *s, const json_t *body)
{
        if (!is_type(s, body, JSON_OBJECT))
                return false;
        const json_t *input = json_object_get(body, "input"), *args = json_object_get(body, "args");
        const json_t *files = json_object_get(body, "files");

        if (!input && !args)
                return refuse(s, body, "is not valid under any of the given schemas");
        return is_type(s, input, JSON_STRING) && is_type(s, args, JSON_ARRAY) && is_type(s, files, JSON_ARRAY) &&
               is_type(s, json_object_get(body, "executable_path"), JSON_STRING) && are_type(s, args, JSON_STRING) &&
               are_type(s, files, JSON_OBJECT) && has_paths(s, files) && are_files(s, files);
}

json_t *snekbox_schema_fault(const json_t *body, bool *no_memory)
{
        struct schema s = { 0 };

        check(&s, body);
        *no_memory = s.no_memory;
        return s.fault;
}
