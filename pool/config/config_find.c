/* Finding parts of a configuration: see config.h. */
#include "pool/config/config.h"

#include <string.h>

const struct config_runtime *config_find_runtime(const struct config *c, const char *name)
{
        for (size_t i = 0; i < c->n_runtimes; i++)
                if (strcmp(c->runtimes[i].name, name) == 0)
                        return &c->runtimes[i];
        return NULL;
}

const struct config_language *config_find_language(const struct config *c, const char *name)
{
        for (size_t i = 0; i < c->n_languages; i++)
                if (strcmp(c->languages[i].name, name) == 0)
                        return &c->languages[i];
        return NULL;
}

void config_most(const struct config_language *l, int64_t most[LIMIT_COUNT])
{
        bool is_compiled = l->data && l->data->kind == KIND_COMPILED;
        for (size_t i = 0; i < LIMIT_COUNT; i++)
                most[i] = is_compiled && l->compile_ceiling[i] > l->ceiling[i] ? l->compile_ceiling[i] : l->ceiling[i];
}
