/* Lists of words: see words.h. */
#include "pool/base/words.h"

#include <strings.h>

struct span words_next(const char **at)
{
        *at += strspn(*at, " ");
        struct span word = { (const uint8_t *)*at, strcspn(*at, " ") };
        *at += word.len;
        return word;
}

bool words_same(struct span a, struct span b)
{
        return a.len == b.len && (a.len == 0 || strncasecmp((const char *)a.data, (const char *)b.data, a.len) == 0);
}

bool words_have(const char *list, struct span word)
{
        for (struct span w = words_next(&list); w.len > 0; w = words_next(&list))
                if (words_same(w, word))
                        return true;
        return false;
}
