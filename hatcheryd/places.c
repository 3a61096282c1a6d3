/* Places of languages: see places.h. */
#include "hatcheryd/places.h"

#include <stdio.h>
#include <string.h>

void places_free(struct kept_language *l)
{
        *l = (struct kept_language){ .name = "" };
        for (size_t side = 0; side < KEEPER_SIDES; side++)
                l->side[side].process.pidfd = -1;
}

struct kept_language *places_find(struct keeper *k, const char *name)
{
        for (size_t i = 0; i < KEEPER_MAX_LANGUAGES; i++)
                if (*name && strcmp(k->languages[i].name, name) == 0)
                        return &k->languages[i];
        return NULL;
}

static struct kept_language *find_place(struct keeper *k)
{
        for (size_t i = 0; i < KEEPER_MAX_LANGUAGES; i++)
                if (!k->languages[i].name[0])
                        return &k->languages[i];
        return NULL;
}

/* A language that is new or comes back gets a zygote, though the pool has not asked for one. */
static void place_languages(struct keeper *k)
{
        const struct config *c = k->settings->config;

        k->unplaced = false;
        for (size_t i = 0; i < c->n_languages; i++) {
                struct kept_language *l = places_find(k, c->languages[i].name);
                if (l && !l->leaving)
                        continue;
                if (!l)
                        l = find_place(k);
                if (!l) {
                        k->unplaced = true;
                        continue;
                }
                if (!l->leaving)
                        l->generation = k->generation;
                snprintf(l->name, sizeof l->name, "%s", c->languages[i].name);
                l->leaving = false;
                l->wanted = true;
        }
}

void places_assign(struct keeper *k)
{
        for (size_t i = 0; i < KEEPER_MAX_LANGUAGES; i++) {
                struct kept_language *l = &k->languages[i];
                if (l->name[0] && !config_find_language(k->settings->config, l->name))
                        l->leaving = true;
        }
        place_languages(k);
}

void places_let_go(struct keeper *k, struct kept_language *l)
{
        if (!l->leaving)
                return;
        for (size_t side = 0; side < KEEPER_SIDES; side++)
                if (l->side[side].process.pid > 0 || l->side[side].unclean)
                        return;
        log_debug(k->settings->log, "nothing is left of %s", l->name);
        if (l->generation > k->generation)
                k->generation = l->generation;
        places_free(l);
        if (k->unplaced)
                place_languages(k);
}
