/* Base64 that strangers send, by nettle: see json.h. nettle skips white space, and takes three "=" at the end. Both are
 * refused here, before nettle decodes the text. */
#include "client/json_value.h"
#include "gateway/json.h"
#include "proto/base/own.h"

#include <errno.h>
#include <nettle/base64.h>

static bool has_space(struct span text)
{
        for (size_t i = 0; i < text.len; i++)
                if (text.data[i] <= ' ')
                        return true;
        return false;
}

/* A group of four has at most two "=". */
static bool is_overpadded(struct span text)
{
        return text.len >= 3 && memcmp(text.data + text.len - 3, "===", 3) == 0;
}

int base64_decode(struct span text, uint8_t **out, size_t *len)
{
        struct base64_decode_ctx state;
        size_t room = BASE64_DECODE_LENGTH(text.len);

        if (text.len % 4 != 0 || has_space(text) || is_overpadded(text))
                return -EINVAL;
        OWN_MEM uint8_t *bytes = malloc(room + 1);
        if (!bytes)
                return -ENOMEM;
        base64_decode_init(&state);
        if (!base64_decode_update(&state, &room, bytes, text.len, (const char *)text.data) ||
            !base64_decode_final(&state))
                return -EINVAL;
        *len = room;
        *out = own_steal_ptr(&bytes);
        return 0;
}

json_t *json_base64(struct span bytes)
{
        return json_of_bytes(bytes);
}
