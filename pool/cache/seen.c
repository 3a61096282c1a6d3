/* Programs that were run once: see seen.h. */
#include "pool/cache/seen.h"

#include <string.h>

static struct cache_key *find(struct seen *s, const struct cache_key *key)
{
        for (size_t i = 0; i < s->n; i++)
                if (memcmp(s->at[i].bytes, key->bytes, sizeof key->bytes) == 0)
                        return &s->at[i];
        return NULL;
}

void seen_add(struct seen *s, const struct cache_key *key)
{
        if (find(s, key))
                return;
        s->at[s->next] = *key;
        s->next = (s->next + 1) % SEEN_MAX;
        if (s->n < SEEN_MAX)
                s->n++;
}

bool seen_take(struct seen *s, const struct cache_key *key)
{
        struct cache_key *found = find(s, key);
        if (!found)
                return false;
        memset(found, 0, sizeof *found); /* no key is all zeros: it is a hash */
        return true;
}
