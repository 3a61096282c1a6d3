/* Every unit test includes this: cmocka with the headers that it needs first, and a few checks of the project's own. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* Asserts that r and e are the refusal `want`, and that the sentence contains this word. */
#define assert_refused(r, e, want, word)                                                                               \
        do {                                                                                                           \
                assert_int_equal(r, -(want));                                                                          \
                assert_int_equal((e)->code, want);                                                                     \
                if (!strstr((e)->text, word))                                                                          \
                        fail_msg("\"%s\" does not contain \"%s\"", (e)->text, word);                                   \
        } while (0)

#define assert_span_equal(span, bytes, size)                                                                           \
        do {                                                                                                           \
                assert_int_equal((span).len, size);                                                                    \
                if ((size) > 0)                                                                                        \
                        assert_true(memcmp((span).data, bytes, size) == 0);                                            \
        } while (0)

#define assert_span_text(span, text) assert_span_equal(span, text, strlen(text))
