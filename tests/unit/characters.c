/* Whole characters of a stream in chunks, compared with the results of Python's and web browsers' decoders. */
#include "client/characters.h"

#include "proto/base/own.h"
#include "proto/base/utf8.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

struct text {
        char bytes[4096];
        size_t len;
        struct hatchery_position at;
};

/* Feeds the bytes in chunks of this size; each chunk has its own memory, so that a sanitizer sees a read beyond the
 * chunk. */
static void run(struct text *t, const void *bytes, size_t len, size_t chunk, bool replace)
{
        struct hatchery_characters c = { .replace = replace };
        struct hatchery_piece piece;
        struct hatchery_position last = { 0 };

        t->len = 0;
        for (size_t at = 0; at <= len; at += chunk) {
                size_t n = len - at < chunk ? len - at : chunk;
                OWN_MEM uint8_t *in = malloc(n + 1);
                OWN_MEM char *out = malloc(hatchery_characters_room(n));
                assert_non_null(in);
                assert_non_null(out);
                memcpy(in, (const uint8_t *)bytes + at, n);
                size_t written = hatchery_characters_feed(&c, in, n, out, &piece);
                assert_true(written <= hatchery_characters_room(n));
                if (replace)
                        assert_int_equal(utf8_prefix((const uint8_t *)out, written), written);
                assert_memory_equal(&piece.from, &last, sizeof last);
                assert_true(piece.to.bytes <= at + n && at + n - piece.to.bytes < 4);
                last = piece.to;
                memcpy(t->bytes + t->len, out, written);
                t->len += written;
        }
        char out[3 * 4];
        size_t written = hatchery_characters_end(&c, out, &piece);
        memcpy(t->bytes + t->len, out, written);
        t->len += written;
        t->at = piece.to;
        assert_int_equal(t->at.bytes, len);
        assert_int_equal(hatchery_characters_end(&c, out, NULL), 0);
}

#define R "\xef\xbf\xbd"

static const struct {
        const char *bytes, *text; /* with replace */
        unsigned characters, utf16;
} rows[] = {
        { "", "", 0, 0 },
        { "plain", "plain", 5, 5 },
        { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa3", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa3", 3, 4 },
        { "a\xff"
          "b",
          "a" R "b", 3, 3 },
        { "\x80\x80", R R, 2, 2 },
        { "\xc0\xaf", R R, 2, 2 },             /* overlong */
        { "\xe0\x80\xaf", R R R, 3, 3 },       /* overlong */
        { "\xed\xa0\x80", R R R, 3, 3 },       /* a surrogate */
        { "\xf4\x90\x80\x80", R R R R, 4, 4 }, /* above U+10FFFF */
        { "\xf0\x80\x80\x41", R R R "A", 4, 4 },
        { "\xe2\x82", R, 1, 1 }, /* cut by the end */
        { "\xf0\x9f\x90", R, 1, 1 },
        { "\xf0\x9f\x90"
          "A",
          R "A", 2, 2 }, /* one for the stretch that could have begun a character */
        { "\xe2\x82\xe2\x82\xac", R "\xe2\x82\xac", 2, 2 },
        { "\xe2\xe2\xe2", R R R, 3, 3 },
        { "\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64", R R R "b" R "c" R R "d", 9, 9 }, /* Unicode's table 3-8 */
        { "\xf0\x9f\x90\xa3\xf0\x9f\x90\xa3\xc3", "\xf0\x9f\x90\xa3\xf0\x9f\x90\xa3" R, 3, 5 },
};

static void chunks_of_each_size_give_the_same_text(void **state)
{
        (void)state;
        struct text t;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                size_t len = strlen(rows[i].bytes);
                for (size_t chunk = 1; chunk <= len + 1; chunk++) {
                        run(&t, rows[i].bytes, len, chunk, true);
                        assert_int_equal(t.len, strlen(rows[i].text));
                        assert_memory_equal(t.bytes, rows[i].text, t.len);
                        assert_int_equal(t.at.characters, rows[i].characters);
                        assert_int_equal(t.at.utf16, rows[i].utf16);
                        run(&t, rows[i].bytes, len, chunk, false);
                        assert_int_equal(t.len, len);
                        assert_memory_equal(t.bytes, rows[i].bytes, len);
                }
        }
}

static void a_character_that_was_cut_begins_where_its_first_byte_is(void **state)
{
        (void)state;
        struct hatchery_characters c = { .replace = true };
        struct hatchery_piece piece;
        char text[64];
        assert_int_equal(hatchery_characters_feed(&c, "ab\xe2", 3, text, &piece), 2);
        assert_int_equal(piece.to.bytes, 2);
        assert_int_equal(hatchery_characters_feed(&c, "\x82", 1, text, &piece), 0);
        assert_int_equal(hatchery_characters_feed(&c,
                                                  "\xac"
                                                  "c",
                                                  2, text, &piece),
                         4);
        assert_int_equal(piece.from.bytes, 2);
        assert_int_equal(piece.from.characters, 2);
        assert_int_equal(piece.to.bytes, 6);
        assert_int_equal(piece.to.characters, 4);
        assert_memory_equal(text,
                            "\xe2\x82\xac"
                            "c",
                            4);
}

/* The same numbers each time. */
static uint32_t next(uint32_t *seed)
{
        *seed = *seed * 1664525 + 1013904223;
        return *seed >> 8;
}

static void random_bytes_are_the_same_in_all_chunks(void **state)
{
        (void)state;
        static const uint8_t likely[] = { 'a', 0x80, 0xbf, 0x9f, 0x90, 0xa0, 0xc2, 0xe0, 0xe2, 0xed, 0xf0, 0xf4, 0xff };
        static struct text whole, parts;
        uint32_t seed = 5;
        for (int i = 0; i < 20000; i++) {
                uint8_t bytes[24];
                size_t len = next(&seed) % sizeof bytes;
                for (size_t k = 0; k < len; k++)
                        bytes[k] = next(&seed) % 8 ? likely[next(&seed) % sizeof likely] : (uint8_t)next(&seed);
                run(&whole, bytes, len, sizeof bytes, true);
                assert_int_equal(utf8_prefix((const uint8_t *)whole.bytes, whole.len), whole.len);
                run(&parts, bytes, len, 1 + next(&seed) % 5, true);
                assert_int_equal(whole.len, parts.len);
                assert_memory_equal(whole.bytes, parts.bytes, whole.len);
                assert_memory_equal(&whole.at, &parts.at, sizeof whole.at);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(chunks_of_each_size_give_the_same_text),
                cmocka_unit_test(a_character_that_was_cut_begins_where_its_first_byte_is),
                cmocka_unit_test(random_bytes_are_the_same_in_all_chunks),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
