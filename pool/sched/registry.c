/* Languages by name: see sched.h. */
#include "pool/base/words.h"
#include "pool/sched/language.h"
#include "pool/sched/sched.h"

static bool is_named(const char *known, struct span name)
{
        return words_same(span_of_text(known), name);
}

struct language *sched_named(const struct sched *s, struct span name)
{
        for (size_t i = 0; i < s->n_languages && name.len > 0; i++)
                if (is_named(s->languages[i]->name, name))
                        return s->languages[i];
        return NULL;
}

struct language *sched_find(const struct sched *s, struct span name)
{
        struct language *l = sched_named(s, name);
        for (size_t i = 0; i < s->n_languages && !l && name.len > 0; i++)
                if (words_have(s->languages[i]->aliases, name))
                        l = s->languages[i];
        return l;
}

struct language *sched_first_unnamed(const struct sched *s)
{
        for (size_t i = 0; i < s->n_languages; i++) {
                struct language *l = s->languages[i];
                if (!l->known && !l->broken && !l->is_profile &&
                    !l->compile.runtime) /* the file of a language that is data lists its aliases */
                        return l;
        }
        return NULL;
}

const struct config_absent *sched_find_absent(const struct sched *s, struct span name)
{
        const struct config *c = s->config;
        for (size_t i = 0; i < c->n_absent && name.len > 0; i++)
                if (is_named(c->absent[i].name, name) || words_have(c->absent[i].aliases, name))
                        return &c->absent[i];
        return NULL;
}
