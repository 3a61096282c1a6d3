/* Names that two languages claim: see claims.h. */
#include "pool/sched/claims.h"

#include "pool/base/words.h"
#include "pool/sched/language.h"
#include "pool/sched/sched.h"

#include <string.h>

static bool is_called(const struct language *l, struct span word)
{
        return words_have(l->aliases, word) || words_same(span_of_text(l->name), word);
}

static void look_at_aliases(const struct language *l, const struct language *other)
{
        const char *at = l->aliases;
        for (struct span word = words_next(&at); word.len > 0; word = words_next(&at)) {
                const struct language *owner = is_called(other, word) ? sched_find(l->sched, word) : NULL;
                if (owner)
                        log_warn(l->sched->log, "%s and %s are both called %.*s: a request for it gets %s", l->name,
                                 other->name, (int)word.len, (const char *)word.data, owner->name);
        }
}

/* Extensions from a language's file. A plug-in has no such file, so its extensions are not compared. */
static char *const *extensions_of(const struct language *l)
{
        static char *const none[] = { NULL };
        const struct config_language *c = config_find_language(l->sched->config, l->name);
        return c && c->data && c->data->extensions ? c->data->extensions : none;
}

static void look_at_extensions(const struct language *l, const struct language *other)
{
        for (char *const *mine = extensions_of(l); *mine; mine++)
                for (char *const *theirs = extensions_of(other); *theirs; theirs++)
                        if (strcmp(*mine, *theirs) == 0)
                                log_warn(l->sched->log,
                                         "programs of %s and of %s both end in .%s: name the language in the request",
                                         l->name, other->name, *mine);
}

void claims_look(const struct language *l)
{
        const struct sched *s = l->sched;

        for (size_t i = 0; i < s->n_languages; i++) {
                const struct language *other = s->languages[i];
                if (other == l || !other->known || l->is_profile || other->is_profile)
                        continue;
                look_at_aliases(l, other);
                look_at_extensions(l, other);
        }
}
