/* JSON and base64 from clients: gateway/json. */
#include "gateway/json.h"

#include "proto/base/own.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>

/* Reads a text of exactly this length, so that no read may pass its end. */
static json_t *read_bytes(const char *bytes, size_t len, struct json_fault *fault)
{
        uint8_t *exact = malloc(len ? len : 1);
        assert_non_null(exact);
        memcpy(exact, bytes, len);
        json_t *value = json_read((struct span){ exact, len }, fault);
        free(exact);
        return value;
}

static void valid_texts_are_read(void **state)
{
        static const char *const texts[] = {
                "{}",
                "[]",
                " \"a\" ",
                "1",
                "-0.5e3",
                "true",
                "null",
                "{\"a\":{\"a\":1}}",
                "\"\\ud83d\\ude00\"",
                "\"\\u0000\"",
                "{\"a\":\"\\\"]]]]\\\\\"}",
        };
        (void)state;
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
                struct json_fault fault;
                json_t *value = read_bytes(texts[i], strlen(texts[i]), &fault);
                if (!value)
                        fail_msg("%s: %s", texts[i], fault.text);
                json_decref(value);
        }
}

static void bad_texts_are_refused_with_a_sentence(void **state)
{
        static const struct {
                const char *text;
                size_t len;
                const char *word;
        } rows[] = {
                { "", 0, "no byte" },
                { "{\"a\":1,\"a\":2}", 13, "duplicate" },
                { "{} {}", 5, "end of file" },
                { "\"\\ud800\"", 8, "Unicode" },
                { "\"\\udc00x\"", 9, "Unicode" },
                { "\"\xff\"", 3, "decode" },
                { "\"\xed\xa0\x80\"", 5, "decode" },
                { "1e999", 5, "overflow" },
                { "99999999999999999999", 20, "too big" },
                { "01", 2, "not valid" },
                { "nul", 3, "not valid" },
                { "[1,]", 4, "not valid" },
                { "{\"a\0b\":1}", 9, "not valid" },
                { "\"a\0b\"", 5, "not valid" },
                { "\"never ends", 11, "not valid" },
                { "\xef\xbb\xbf{}", 5, "not valid" },
        };
        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                struct json_fault fault;
                json_t *value = read_bytes(rows[i].text, rows[i].len, &fault);
                if (value)
                        fail_msg("row %zu was taken: %s", i, rows[i].text);
                if (!strstr(fault.text, rows[i].word))
                        fail_msg("row %zu: \"%s\" does not contain \"%s\"", i, fault.text, rows[i].word);
        }
}

static json_t *read_nested(size_t depth, struct json_fault *fault)
{
        char text[512] = { 0 };
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        return read_bytes(text, 2 * depth, fault);
}

static void depth_is_bounded(void **state)
{
        struct json_fault fault;
        (void)state;
        json_t *value = read_nested(JSON_MAX_DEPTH, &fault);
        assert_non_null(value);
        json_decref(value);
        assert_null(read_nested(JSON_MAX_DEPTH + 1, &fault));
        assert_non_null(strstr(fault.text, "deeper"));
}

static json_t *read_list(size_t n, struct json_fault *fault)
{
        char *text = malloc(2 * n + 2);
        assert_non_null(text);
        for (size_t i = 0; i < n; i++)
                memcpy(text + 2 * i, i ? ",1" : "[1", 2);
        text[2 * n] = ']';
        json_t *value = read_bytes(text, 2 * n + 1, fault);
        free(text);
        return value;
}

static void the_number_of_values_is_bounded(void **state)
{
        struct json_fault fault;
        (void)state;
        json_t *value = read_list(JSON_MAX_VALUES - 1, &fault);
        assert_non_null(value);
        json_decref(value);
        assert_null(read_list(JSON_MAX_VALUES + 1, &fault));
        assert_non_null(strstr(fault.text, "65536"));
}

/* Brackets in a string do not count as values, even after escaped quotes and backslashes. */
static void strings_do_not_count(void **state)
{
        struct json_fault fault;
        (void)state;
        char *text = malloc(JSON_MAX_VALUES * 2);
        assert_non_null(text);
        memset(text, '[', JSON_MAX_VALUES * 2);
        text[0] = '"';
        memcpy(text + 7, "\\\"\\\\\\\"", 6);
        text[JSON_MAX_VALUES * 2 - 1] = '"';
        json_t *value = read_bytes(text, JSON_MAX_VALUES * 2, &fault);
        if (!value)
                fail_msg("%s", fault.text);
        json_decref(value);
        free(text);
}

static void base64_is_read_strictly(void **state)
{
        static const struct {
                const char *text, *bytes; /* NULL: refused */
                size_t len;
        } rows[] = {
                { "", "", 0 },
                { "QQ==", "A", 1 },
                { "QUI=", "AB", 2 },
                { "QUJD", "ABC", 3 },
                { "AP8+", "\0\xff>", 3 },
                { "/+8=", "\xff\xef", 2 },
                { "QQ", NULL, 0 },
                { "QQ=", NULL, 0 },
                { "QR==", NULL, 0 },
                { "QQ==QQ==", NULL, 0 },
                { "Q Q=", NULL, 0 },
                { "QQ=\n", NULL, 0 },
                { "Q-_=", NULL, 0 },
                { "====", NULL, 0 },
                { "Q===", NULL, 0 },
                { "A===", NULL, 0 },
                { "\xff\xff\xff\xff", NULL, 0 },
        };
        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                uint8_t *bytes = NULL;
                size_t len = 0;
                int r = base64_decode(span_of_text(rows[i].text), &bytes, &len);
                if (r != (rows[i].bytes ? 0 : -EINVAL))
                        fail_msg("\"%s\": %d", rows[i].text, r);
                if (rows[i].bytes) {
                        assert_non_null(bytes);
                        assert_int_equal(len, rows[i].len);
                        assert_memory_equal(bytes, rows[i].bytes, len);
                }
                free(bytes);
        }
}

static void bytes_become_text_or_base64(void **state)
{
        const struct span good = { (const uint8_t *)"a\0\xc3\xa4", 4 }, bad = { (const uint8_t *)"a\xff", 2 };
        (void)state;
        json_t *text = json_text(good, false);
        assert_span_equal(json_span(text), "a\0\xc3\xa4", 4);
        json_decref(text);
        text = json_text((struct span){ 0 }, false);
        assert_int_equal(json_span(text).len, 0);
        json_decref(text);
        assert_null(json_text(bad, false));
        text = json_text(bad, true);
        assert_span_text(json_span(text), "a\xef\xbf\xbd");
        json_decref(text);
        text = json_base64(bad);
        assert_span_text(json_span(text), "Yf8=");
        json_decref(text);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(valid_texts_are_read),
                cmocka_unit_test(bad_texts_are_refused_with_a_sentence),
                cmocka_unit_test(depth_is_bounded),
                cmocka_unit_test(the_number_of_values_is_bounded),
                cmocka_unit_test(strings_do_not_count),
                cmocka_unit_test(base64_is_read_strictly),
                cmocka_unit_test(bytes_become_text_or_base64),
        };
        json_prepare();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
