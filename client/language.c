/* Languages by their names: see language.h. */
#include "client/language.h"

#include <string.h>
#include <strings.h>

static bool are_equal(const char *word, struct span name)
{
        return strlen(word) == name.len && strncasecmp(word, (const char *)name.data, name.len) == 0;
}

static bool has_alias(const hatchery_v1_LanguageStatus *l, struct span name)
{
        for (size_t i = 0; i < l->aliases_count; i++)
                if (are_equal(l->aliases[i], name))
                        return true;
        return false;
}

hatchery_v1_LanguageStatus *language_find(const struct answer *status, struct span name)
{
        hatchery_v1_LanguageStatus *found = NULL;
        for (size_t i = 0; i < status->n_languages; i++) {
                hatchery_v1_LanguageStatus *l = &status->languages[i];
                if (are_equal(l->name, name))
                        return l;
                if (!found && has_alias(l, name))
                        found = l;
        }
        return found;
}
