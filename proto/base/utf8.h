/* UTF-8, as protobuf's `string` wants it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The number of bytes at the start that are complete, valid characters; len if all are valid. */
size_t utf8_prefix(const uint8_t *data, size_t len);

/* Makes text valid in place: each byte that belongs to no valid character becomes '?'. Used for sentences that were cut
 * to the size of a buffer, perhaps within a character. */
void utf8_repair(char *text);
