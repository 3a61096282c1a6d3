/* UTF-8. */
#include "proto/base/utf8.h"

#include "tests/unit/unit.h"

#include <stdlib.h>

static size_t prefix(const char *text)
{
        /* A block of exactly the text's length: no read may pass the end of a cut character. */
        size_t len = strlen(text);
        uint8_t *exact = malloc(len ? len : 1);
        assert_non_null(exact);
        memcpy(exact, text, len);
        size_t n = utf8_prefix(exact, len);
        free(exact);
        return n;
}

static void valid_text_is_valid_to_its_end(void **state)
{
        (void)state;
        const char *const texts[] = { "",
                                      "a",
                                      "plain ASCII, longer than eight bytes",
                                      "\xc2\x80",
                                      "\xdf\xbf",
                                      "\xe0\xa0\x80",
                                      "\xed\x9f\xbf",
                                      "\xee\x80\x80",
                                      "\xef\xbf\xbf",
                                      "\xf0\x90\x80\x80",
                                      "\xf4\x8f\xbf\xbf",
                                      "mixed \xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa3 and on" };
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
                assert_int_equal(prefix(texts[i]), strlen(texts[i]));
}

static void the_first_invalid_byte_ends_the_prefix(void **state)
{
        (void)state;
        const char *const bad[] = { "\x80",
                                    "\xbf",
                                    "\xc0\xaf",
                                    "\xc1\xbf",
                                    "\xc2",
                                    "\xc2 ",
                                    "\xe0\x9f\xbf",
                                    "\xe2\x82",
                                    "\xed\xa0\x80",
                                    "\xed\xbf\xbf",
                                    "\xf0\x8f\xbf\xbf",
                                    "\xf0\x9f\x90",
                                    "\xf4\x90\x80\x80",
                                    "\xf5\x80\x80\x80",
                                    "\xfe",
                                    "\xff" };
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                char text[32];
                assert_int_equal(prefix(bad[i]), 0);
                for (size_t before = 0; before < 12; before++) {
                        memset(text, 'a', before);
                        strcpy(text + before, bad[i]);
                        assert_int_equal(prefix(text), before);
                }
        }
}

static void nul_is_a_character_like_any_other(void **state)
{
        (void)state;
        assert_int_equal(utf8_prefix((const uint8_t *)"a\0b", 3), 3);
}

static void repair_replaces_only_what_is_invalid(void **state)
{
        (void)state;
        char good[] = "gr\xc3\xbc\xc3\x9f", cut[] = "gr\xc3\xbc\xc3",
             bad[] = "\xff"
                     "a\x80\x80z\xf0\x9f";
        utf8_repair(good);
        assert_string_equal(good, "gr\xc3\xbc\xc3\x9f");
        utf8_repair(cut);
        assert_string_equal(cut, "gr\xc3\xbc?");
        utf8_repair(bad);
        assert_string_equal(bad, "?a??z??");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(valid_text_is_valid_to_its_end),
                cmocka_unit_test(the_first_invalid_byte_ends_the_prefix),
                cmocka_unit_test(nul_is_a_character_like_any_other),
                cmocka_unit_test(repair_replaces_only_what_is_invalid),
        };
        return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
