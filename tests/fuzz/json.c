/* Fuzzes JSON and base64 from strangers: gateway/json.c and gateway/base64.c. Input: a byte that chooses between the
 * two, then the text. An accepted text must be the same value when it is written and read again. */
#include "gateway/json.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static size_t values_of(const json_t *value, size_t depth)
{
        size_t n = 1, i;
        const char *key;
        json_t *item;

        FUZZ_CHECK(depth <= JSON_MAX_DEPTH);
        json_array_foreach(value, i, item) n += values_of(item, depth + 1);
        json_object_foreach((json_t *)value, key, item) n += 1 + values_of(item, depth + 1);
        return n;
}

static void check_json(struct span text)
{
        struct json_fault fault = { "", 0 };
        json_t *value = json_read(text, &fault);

        if (!value) {
                FUZZ_CHECK(fault.text[0] && strlen(fault.text) < sizeof fault.text && fault.at <= text.len);
                return;
        }
        FUZZ_CHECK(values_of(value, 0) <= JSON_MAX_VALUES);
        char *written = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        FUZZ_CHECK(written);
        json_t *again = json_read((struct span){ (uint8_t *)written, strlen(written) }, &fault);
        FUZZ_CHECK(again && json_equal(value, again));
        json_decref(again);
        json_decref(value);
        free(written);
}

static void check_base64(struct span text)
{
        uint8_t *bytes = NULL;
        size_t len = 0;

        if (base64_decode(text, &bytes, &len) == 0) {
                json_t *again = json_base64((struct span){ bytes, len });
                FUZZ_CHECK(again && json_string_length(again) == text.len);
                FUZZ_CHECK(text.len == 0 || memcmp(json_string_value(again), text.data, text.len) == 0);
                json_decref(again);
        }
        free(bytes);
}

/* Bytes of a program as a string: whole characters, or none without replace. */
static void check_text(struct span bytes)
{
        json_t *plain = json_text(bytes, false), *replaced = json_text(bytes, true);

        FUZZ_CHECK(replaced && (!plain || json_equal(plain, replaced)));
        if (plain)
                FUZZ_CHECK(json_string_length(plain) == bytes.len);
        json_decref(plain);
        json_decref(replaced);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct fuzz_input in = { data, size };
        const uint8_t which = fuzz_byte(&in) % 3;
        uint8_t *copy = fuzz_copy(in.data, in.len);
        const struct span text = { copy, in.len };

        if (which == 0)
                check_json(text);
        else if (which == 1)
                check_base64(text);
        else
                check_text(text);
        free(copy);
        return 0;
}
