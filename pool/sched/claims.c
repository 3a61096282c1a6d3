/* What two languages claim: see claims.h. */
#include "pool/sched/claims.h"

#include "pool/sched/language.h"
#include "pool/sched/registry.h"
#include "pool/state.h"

#include <string.h>

/* The next word of a list with spaces between; empty at its end. */
static struct span next_word(const char **at)
{
        *at += strspn(*at, " ");
        struct span word = { (const uint8_t *)*at, strcspn(*at, " ") };
        *at += word.len;
        return word;
}

static bool has_alias(const struct language *l, struct span alias)
{
        const char *at = l->aliases;
        for (struct span word = next_word(&at); word.len > 0; word = next_word(&at))
                if (word.len == alias.len && memcmp(word.data, alias.data, word.len) == 0)
                        return true;
        return strlen(l->name) == alias.len && memcmp(l->name, alias.data, alias.len) == 0;
}

static void look_at_aliases(const struct language *l, const struct language *other)
{
        const char *at = l->aliases;
        for (struct span word = next_word(&at); word.len > 0; word = next_word(&at)) {
                const struct language *owner = has_alias(other, word) ? languages_find(l->pool, word) : NULL;
                if (owner)
                        log_warn(&l->pool->log, "%s and %s are both called %.*s: a request for it gets %s", l->name,
                                 other->name, (int)word.len, (const char *)word.data, owner->name);
        }
}

/* Those of a plug-in are in no file. */
static char *const *extensions_of(const struct language *l)
{
        static char *const none[] = { NULL };
        const struct config_language *c = config_find_language(&l->pool->config, l->name);
        return c && c->data && c->data->extensions ? c->data->extensions : none;
}

static void look_at_extensions(const struct language *l, const struct language *other)
{
        for (char *const *mine = extensions_of(l); *mine; mine++)
                for (char *const *theirs = extensions_of(other); *theirs; theirs++)
                        if (strcmp(*mine, *theirs) == 0)
                                log_warn(&l->pool->log,
                                         "programs of %s and of %s both end in .%s: name the language in the request",
                                         l->name, other->name, *mine);
}

void claims_look(const struct language *l)
{
        for (size_t i = 0; i < l->pool->n_languages; i++) {
                const struct language *other = l->pool->languages[i];
                if (other == l || !other->known || l->is_profile || other->is_profile)
                        continue;
                look_at_aliases(l, other);
                look_at_extensions(l, other);
        }
}
