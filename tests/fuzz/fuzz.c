/* What fuzzers share: see fuzz.h. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fuzz_fail(const char *condition, const char *file, int line)
{
        fprintf(stderr, "%s:%d: condition failed: %s\n", file, line, condition);
        abort();
}

uint8_t *fuzz_copy(const uint8_t *data, size_t len)
{
        uint8_t *copy = malloc(len ? len : 1);
        FUZZ_CHECK(copy);
        if (len > 0)
                memcpy(copy, data, len);
        return copy;
}

char *fuzz_text(const uint8_t *data, size_t len)
{
        char *text = malloc(len + 1);
        FUZZ_CHECK(text);
        if (len > 0)
                memcpy(text, data, len);
        text[len] = '\0';
        return text;
}

uint8_t fuzz_byte(struct fuzz_input *in)
{
        if (in->len == 0)
                return 0;
        in->len--;
        return *in->data++;
}

uint32_t fuzz_u32(struct fuzz_input *in)
{
        uint32_t value = 0;
        for (int i = 0; i < 4; i++)
                value = value << 8 | fuzz_byte(in);
        return value;
}
