/* JSON from clients: see json.h. jansson checks the grammar, the characters, the numbers and the keys. jansson's bound
 * on the depth is too large, and jansson does not bound the number of values. So is_bounded counts depth and values
 * before jansson makes the first value. */
#include "gateway/json.h"

#include "client/json_value.h"
#include "proto/base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

void json_prepare(void)
{
        size_t seed = 0;

        while (getrandom(&seed, sizeof seed, 0) < 0 && errno == EINTR)
                ;
        json_object_seed(seed ? seed : (size_t)getpid());
}

static json_t *refuse(struct json_fault *fault, size_t at, const char *sentence)
{
        snprintf(fault->text, sizeof fault->text, "%s", sentence);
        fault->at = at;
        return NULL;
}

/* Returns the place behind the string whose first byte is at `at`, or the text's length if the string has no end. */
static size_t skip_string(struct span text, size_t at)
{
        const size_t begin = at;

        for (;;) {
                const uint8_t *quote = at < text.len ? memchr(text.data + at, '"', text.len - at) : NULL;
                if (!quote)
                        return text.len;
                at = (size_t)(quote - text.data) + 1;
                size_t first = at - 1;
                while (first > begin && text.data[first - 1] == '\\')
                        first--;
                if ((at - 1 - first) % 2 == 0)
                        return at;
        }
}

/* Counts depth and values in one pass. Text that is not JSON passes here, and jansson refuses it. */
static bool is_bounded(struct span text, struct json_fault *fault)
{
        size_t depth = 0, values = 1, at = 0;

        while (at < text.len) {
                switch (text.data[at++]) {
                case '"':
                        at = skip_string(text, at);
                        break;
                case '[':
                case '{':
                        values++;
                        if (++depth > JSON_MAX_DEPTH) {
                                refuse(fault, at, "lists and objects are nested deeper than 64 levels");
                                return false;
                        }
                        break;
                case ']':
                case '}':
                        depth -= depth > 0;
                        break;
                case ',':
                case ':':
                        values++;
                        break;
                default:
                        break;
                }
                if (values > JSON_MAX_VALUES) {
                        refuse(fault, at, "there are more than 65536 values and keys");
                        return false;
                }
        }
        return true;
}

json_t *json_read(struct span text, struct json_fault *fault)
{
        json_error_t error;

        *fault = (struct json_fault){ 0 };
        if (text.len == 0)
                return refuse(fault, 0, "a JSON value is needed, and there is no byte");
        if (!is_bounded(text, fault))
                return NULL;
        json_t *value = json_loadb((const char *)text.data, text.len,
                                   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        if (value)
                return value;
        fault->at = error.position > 0 ? (size_t)error.position : 0;
        snprintf(fault->text, sizeof fault->text, "this is not valid JSON: %s (line %d, byte %zu)", error.text,
                 error.line, fault->at);
        utf8_repair(fault->text);
        return NULL;
}

struct span json_span(const json_t *value)
{
        return (struct span){ (const uint8_t *)json_string_value(value), json_string_length(value) };
}

json_t *json_text(struct span bytes, bool replace)
{
        if (utf8_prefix(bytes.data, bytes.len) == bytes.len)
                return json_stringn_nocheck(bytes.len ? (const char *)bytes.data : "", bytes.len);
        return replace ? json_of_text(bytes.data, bytes.len) : NULL;
}
