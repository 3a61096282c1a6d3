/* UTF-8: see utf8.h. */
#include "proto/base/utf8.h"

#include <string.h>

/* Length of the character at the start of data, or 0 if there is no whole valid one. The range of the second byte
 * excludes overlong forms, surrogates and all above U+10FFFF. All later bytes are 80..BF. */
static size_t character(const uint8_t *data, size_t len)
{
        uint8_t first = data[0], low = 0x80, high = 0xbf;
        size_t size;

        if (first < 0x80)
                return 1;
        if (first >= 0xc2 && first <= 0xdf) {
                size = 2;
        } else if (first >= 0xe0 && first <= 0xef) {
                size = 3;
                low = first == 0xe0 ? 0xa0 : 0x80;
                high = first == 0xed ? 0x9f : 0xbf;
        } else if (first >= 0xf0 && first <= 0xf4) {
                size = 4;
                low = first == 0xf0 ? 0x90 : 0x80;
                high = first == 0xf4 ? 0x8f : 0xbf;
        } else {
                return 0;
        }

        if (len < size || data[1] < low || data[1] > high)
                return 0;
        for (size_t i = 2; i < size; i++)
                if ((data[i] & 0xc0) != 0x80)
                        return 0;
        return size;
}

size_t utf8_prefix(const uint8_t *data, size_t len)
{
        size_t at = 0;

        while (at < len) {
                /* Nearly all text is ASCII, so ASCII is skipped eight bytes at a time. */
                uint64_t eight;
                if (len - at >= sizeof eight) {
                        memcpy(&eight, data + at, sizeof eight);
                        if ((eight & 0x8080808080808080) == 0) {
                                at += sizeof eight;
                                continue;
                        }
                }
                size_t size = character(data + at, len - at);
                if (size == 0)
                        break;
                at += size;
        }
        return at;
}

void utf8_repair(char *text)
{
        size_t len = strlen(text), at = 0;

        while ((at += utf8_prefix((const uint8_t *)text + at, len - at)) < len)
                text[at++] = '?';
}
