/* Output in whole characters: see v1_parts.h. */
#include "client/characters.h"
#include "gateway/contracts/v1_parts.h"

#include <errno.h>
#include <stdlib.h>

ssize_t v1_whole(struct hatchery_characters *c, const struct span *bytes, char **text, uint64_t *offset)
{
        const size_t len = bytes ? bytes->len : 0;
        struct hatchery_piece piece = { 0 };

        *text = malloc(hatchery_characters_room(len) + 1);
        if (!*text)
                return -ENOMEM;
        size_t n = bytes ? hatchery_characters_feed(c, bytes->data, len, *text, &piece)
                         : hatchery_characters_end(c, *text, &piece);
        *offset = piece.from.bytes;
        return (ssize_t)n;
}
