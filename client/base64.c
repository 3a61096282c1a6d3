/* Base64: see base64.h. */
#include "client/base64.h"

#include <stdlib.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode_group(char out[4], uint32_t bits)
{
        for (int i = 3; i >= 0; i--, bits >>= 6)
                out[i] = alphabet[bits & 63];
}

char *base64_encode(const uint8_t *data, size_t len, size_t *out_len)
{
        if (len > SIZE_MAX / 4 * 3 - 3)
                return NULL;
        *out_len = (len + 2) / 3 * 4;
        char *out = malloc(*out_len + 1);
        if (!out)
                return NULL;

        char *to = out;
        size_t i = 0;
        for (; len - i >= 3; i += 3, to += 4)
                encode_group(to, (uint32_t)data[i] << 16 | (uint32_t)data[i + 1] << 8 | data[i + 2]);
        if (len - i == 2) {
                encode_group(to, (uint32_t)data[i] << 16 | (uint32_t)data[i + 1] << 8);
                to[3] = '=';
        } else if (len - i == 1) {
                encode_group(to, (uint32_t)data[i] << 16);
                to[2] = to[3] = '=';
        }
        out[*out_len] = '\0';
        return out;
}
