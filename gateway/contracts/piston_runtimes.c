/* The pool's languages as Piston's runtimes: their names, their versions, and the choice by a selector. */
#include "gateway/contracts/piston_parts.h"

#include <string.h>
#include <strings.h>

enum { MAX_NAMES = 4 };

/* Piston's names of languages that have other names in the pool. The pool's name and aliases are accepted, too. */
static const struct words {
        const char *language; /* the pool's name */
        const char *name;     /* Piston's name, if it differs */
        const char *runtime;  /* the program behind it, where Piston names it */
        const char *aliases[MAX_NAMES];
} table[] = {
        { .language = "c", .runtime = "gcc" },
        { .language = "c-fast", .runtime = "tcc" },
        { .language = "cpp", .name = "c++", .runtime = "gcc" },
        { .language = "javascript", .runtime = "node", .aliases = { "node-javascript", "node-js" } },
        { .language = "prolog", .aliases = { "plg" } },
        { .language = "python", .aliases = { "py3" } },
        { .language = "r", .name = "rscript" },
        { .language = "ruby", .aliases = { "ruby3" } },
        { .language = "sqlite", .name = "sqlite3" },
        { .language = "typescript", .aliases = { "node-ts" } },
};

static const struct words no_words;

static const struct words *words_of(const hatchery_v1_LanguageStatus *l)
{
        for (size_t i = 0; i < sizeof table / sizeof *table; i++)
                if (strcmp(table[i].language, l->name) == 0)
                        return &table[i];
        return &no_words;
}

static const char *name_of(const hatchery_v1_LanguageStatus *l)
{
        const char *name = words_of(l)->name;
        return name ? name : l->name;
}

void piston_version(char out[SEMVER_TEXT_SIZE], const char *text)
{
        struct semver v;

        if (semver_of_program(&v, text))
                semver_text(out, &v);
        else
                *out = 0;
}

/* ---------------------------------------------------------------- choice */

/* Whether the language has this name: 2, as a name; 1, as an alias; 0, not at all. */
static int called(const hatchery_v1_LanguageStatus *l, const char *name)
{
        const struct words *w = words_of(l);

        if (strcasecmp(name, name_of(l)) == 0 || strcasecmp(name, l->name) == 0)
                return 2;
        for (size_t i = 0; i < l->aliases_count; i++)
                if (strcasecmp(name, l->aliases[i]) == 0)
                        return 1;
        for (size_t i = 0; i < MAX_NAMES && w->aliases[i]; i++)
                if (strcasecmp(name, w->aliases[i]) == 0)
                        return 1;
        return 0;
}

bool piston_runtime_find(struct piston_runtime *r, const struct hatchery_answer *status, const char *name,
                         const char *selector)
{
        struct semver newest = { 0 }, v;
        int best = 0;

        *r = (struct piston_runtime){ 0 };
        for (size_t i = 0; i < status->answer.n_languages; i++) {
                const hatchery_v1_LanguageStatus *l = &status->answer.languages[i];
                const int rank = called(l, name);
                if (rank == 0 || rank < best)
                        continue;
                const bool is_known = semver_of_program(&v, l->version);
                if (is_known && !semver_matches(&v, selector) && strcmp(selector, l->version) != 0)
                        continue;
                if (r->language && rank == best && semver_compare(&v, &newest) <= 0)
                        continue;
                best = rank;
                newest = v;
                *r = (struct piston_runtime){ .language = l, .name = name_of(l) };
                piston_version(r->version, l->version);
        }
        return r->language != NULL;
}

/* ---------------------------------------------------------------- lists */

static bool has_word(const json_t *list, const char *word)
{
        for (size_t i = 0; i < json_array_size(list); i++)
                if (strcmp(json_string_value(json_array_get(list, i)), word) == 0)
                        return true;
        return false;
}

/* False: no memory. A word that is in the list already, or is the name itself, is left out. */
static bool add_alias(json_t *list, const char *word, const char *name)
{
        return strcmp(word, name) == 0 || has_word(list, word) || json_array_append_new(list, json_string(word)) == 0;
}

static json_t *aliases_of(const hatchery_v1_LanguageStatus *l)
{
        const struct words *w = words_of(l);
        const char *name = name_of(l);
        json_t *list = json_array();
        bool all = list && add_alias(list, l->name, name);

        for (size_t i = 0; i < l->aliases_count; i++)
                all = all && add_alias(list, l->aliases[i], name);
        for (size_t i = 0; i < MAX_NAMES && w->aliases[i]; i++)
                all = all && add_alias(list, w->aliases[i], name);
        if (all)
                return list;
        json_decref(list);
        return NULL;
}

static json_t *runtime_json(const hatchery_v1_LanguageStatus *l, const char *version)
{
        const char *program = words_of(l)->runtime;

        if (!program)
                return json_pack("{s:s, s:s, s:o}", "language", name_of(l), "version", version, "aliases",
                                 aliases_of(l));
        return json_pack("{s:s, s:s, s:o, s:s}", "language", name_of(l), "version", version, "aliases", aliases_of(l),
                         "runtime", program);
}

static json_t *package_json(const hatchery_v1_LanguageStatus *l, const char *version)
{
        return json_pack("{s:s, s:s, s:b}", "language", name_of(l), "language_version", version, "installed", 1);
}

/* Languages whose version the pool does not know are not installed, or not ready yet: no client could choose them. */
static json_t *list_of(const struct hatchery_answer *status,
                       json_t *(*of_one)(const hatchery_v1_LanguageStatus *l, const char *version))
{
        char version[SEMVER_TEXT_SIZE];
        json_t *list = json_array();

        for (size_t i = 0; list && i < status->answer.n_languages; i++) {
                const hatchery_v1_LanguageStatus *l = &status->answer.languages[i];
                piston_version(version, l->version);
                if (*version && json_array_append_new(list, of_one(l, version)) < 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

json_t *piston_runtimes_json(const struct hatchery_answer *status)
{
        return list_of(status, runtime_json);
}

json_t *piston_packages_json(const struct hatchery_answer *status)
{
        return list_of(status, package_json);
}
