/* Damaged copies of a good message. Each copy is in a block of exactly its length, and is passed to a check. */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef void mutate_check(const uint8_t *data, size_t len);

/* Every proper prefix. */
void mutate_truncate(const uint8_t *data, size_t len, mutate_check *check);

/* `times` copies with one to four bits flipped or bytes replaced. The same seed makes the same copies. */
void mutate_flip(const uint8_t *data, size_t len, uint64_t seed, size_t times, mutate_check *check);
