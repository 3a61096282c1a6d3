/* Shows times, sizes and untrusted text to people. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { TEXT_SIZE = 32 };

/* "2 s", "2.003 s", "12.3 ms", "85 us". Returns out. */
const char *text_us(char out[TEXT_SIZE], uint64_t us);

/* "64 MiB", "1.5 KiB", "100 bytes". Returns out. */
const char *text_bytes(char out[TEXT_SIZE], uint64_t bytes);

/* Replaces control characters in place, so that a name or message from a server or a sandbox can't drive the terminal.
 */
void text_clean(char *text);

/* A copy in which every byte that is not part of valid UTF-8 is U+FFFD, in fresh memory that the caller frees. NULL:
 * out of memory. */
char *text_to_utf8(const uint8_t *data, size_t len, size_t *out_len);

/* One line on standard error: "hatchery: " and the sentence, cleaned. */
void text_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
