/* Damaged copies: see mutate.h. */
#include "tests/unit/mutate.h"

#include "tests/unit/unit.h"

#include <stdlib.h>

static uint8_t *copy(const uint8_t *data, size_t len)
{
        uint8_t *block = malloc(len ? len : 1);
        assert_non_null(block);
        if (len > 0)
                memcpy(block, data, len);
        return block;
}

void mutate_truncate(const uint8_t *data, size_t len, mutate_check *check)
{
        for (size_t n = 0; n < len; n++) {
                uint8_t *block = copy(data, n);
                check(block, n);
                free(block);
        }
}

/* xorshift64: any sequence is good enough, if it is the same everywhere. */
static uint64_t next_random(uint64_t *state)
{
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return *state;
}

void mutate_flip(const uint8_t *data, size_t len, uint64_t seed, size_t times, mutate_check *check)
{
        uint64_t state = seed | 1;

        for (size_t i = 0; i < times; i++) {
                uint8_t *block = copy(data, len);
                for (uint64_t n = 1 + next_random(&state) % 4; n > 0; n--) {
                        size_t at = next_random(&state) % len;
                        uint64_t how = next_random(&state);
                        if (how & 0x100)
                                block[at] = (uint8_t)how;
                        else
                                block[at] ^= (uint8_t)(1 << (how & 7));
                }
                check(block, len);
                free(block);
        }
}
