/* Fuzzes text from outside: proto/base/utf8 (against a decoder written from the standard's table), the client's repair
 * and cleaning of text (client/text) and its base64 (client/base64, against a decoder). */
#include "proto/base/utf8.h"
#include "client/base64.h"
#include "client/text.h"
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Decodes one character first, and checks its value afterwards; utf8.c checks ranges of bytes instead. */
static size_t one_character(const uint8_t *data, size_t len)
{
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        uint8_t first = data[0];
        size_t size = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
        if (size <= 1)
                return size;
        if (len < size)
                return 0;
        uint32_t value = first & (0xffu >> (size + 1));
        for (size_t i = 1; i < size; i++) {
                if (data[i] >> 6 != 2)
                        return 0;
                value = value << 6 | (data[i] & 0x3f);
        }
        bool surrogate = value >= 0xd800 && value <= 0xdfff;
        return value < least[size] || surrogate || value > 0x10ffff ? 0 : size;
}

static size_t valid_prefix(const uint8_t *data, size_t len)
{
        size_t at = 0;
        while (at < len) {
                size_t size = one_character(data + at, len - at);
                if (size == 0)
                        break;
                at += size;
        }
        return at;
}

static void check_repairs(const uint8_t *data, size_t size)
{
        size_t len = 0;
        char *replaced = text_to_utf8(data, size, &len);
        FUZZ_CHECK(replaced && replaced[len] == '\0');
        FUZZ_CHECK(utf8_prefix((const uint8_t *)replaced, len) == len);
        FUZZ_CHECK(len >= size && len <= 3 * size);
        free(replaced);

        char *text = fuzz_text(data, size);
        size_t text_len = strlen(text);
        utf8_repair(text);
        FUZZ_CHECK(strlen(text) == text_len);
        FUZZ_CHECK(utf8_prefix((const uint8_t *)text, text_len) == text_len);
        text_clean(text);
        FUZZ_CHECK(strlen(text) == text_len);
        for (size_t i = 0; i < text_len; i++)
                FUZZ_CHECK((uint8_t)text[i] >= ' ' && text[i] != 0x7f);
        FUZZ_CHECK(utf8_prefix((const uint8_t *)text, text_len) == text_len);
        free(text);
}

static void check_base64(const uint8_t *data, size_t size)
{
        static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        size_t len = 0, n = 0;
        char *text = base64_encode(data, size, &len);
        FUZZ_CHECK(text && text[len] == '\0' && len == (size + 2) / 3 * 4);
        uint32_t bits = 0;
        for (size_t i = 0; i < len && text[i] != '='; i++) {
                const char *at = memchr(alphabet, text[i], sizeof alphabet - 1);
                FUZZ_CHECK(at);
                bits = bits << 6 | (uint32_t)(at - alphabet);
                if (i % 4 == 0)
                        continue;
                FUZZ_CHECK(n < size && (uint8_t)(bits >> (6 - 2 * (i % 4))) == data[n]);
                n++;
        }
        FUZZ_CHECK(n == size);
        free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        uint8_t *exact = fuzz_copy(data, size);
        FUZZ_CHECK(utf8_prefix(exact, size) == valid_prefix(exact, size));
        check_repairs(exact, size);
        check_base64(exact, size);
        free(exact);
        return 0;
}
