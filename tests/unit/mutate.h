/* Damaged copies of a good message, each in a block of exactly its length, handed to a check one after the other. */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef void mutate_check(const uint8_t *data, size_t len);

/* Every proper prefix. */
void mutate_truncate(const uint8_t *data, size_t len, mutate_check *check);

/* `times` copies with one to four bits turned or bytes replaced, the same ones for the same seed. */
void mutate_flip(const uint8_t *data, size_t len, uint64_t seed, size_t times, mutate_check *check);
