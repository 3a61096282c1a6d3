/* Runtimes in the configuration: see config_runtime.h. */
#include "pool/config/config_runtime.h"

#include "pool/base/words.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
        MAX_WORDS = 256,    /* words of one list */
        MAX_ALIASES = 95,   /* bytes of all aliases, the room in a zygote's hello */
        MAX_MAIN_FILE = 31, /* likewise */
        MAX_PATHS = 12,     /* fewer than PATHS_MAX, since the zygote adds further paths */
        MAX_PREPARE = 64,   /* words of the prepare command, the room in zygote/prepare.c */
        KIND_BITS = 8,
};

#define ALL  (1 << KIND_PRESTARTED | 1 << KIND_COMPILED | 1 << KIND_EXEC)
#define ONLY (1 << KIND_BITS) /* refused for all other kinds than those in `kinds` */

struct list_key {
        const char *key;
        enum config_word word;
        unsigned kinds; /* kinds that must have it */
        size_t offset;  /* of the list */
        unsigned also;  /* further kinds that may have it; all others may not */
};

#define LIST(field) offsetof(struct config_runtime, field)

static const struct list_key lists[] = {
        { "extensions", CONFIG_WORD_EXTENSION, 0, LIST(extensions), 0 },
        { "needs", CONFIG_WORD_PATH, 0, LIST(needs), 0 },
        { "reads", CONFIG_WORD_PATH, 0, LIST(reads), 0 },
        { "version", CONFIG_WORD_ANY, ALL, LIST(version), 0 },
        { "compile", CONFIG_WORD_ANY, 1 << KIND_COMPILED | ONLY, LIST(compile), 0 },
        { "compile_flags", CONFIG_WORD_FLAG, 0, LIST(compile_flags), 0 },
        { "artifacts", CONFIG_WORD_RELATIVE, 1 << KIND_COMPILED | ONLY, LIST(artifacts), 1 << KIND_PRESTARTED },
        { "run", CONFIG_WORD_ANY, 1 << KIND_COMPILED | 1 << KIND_EXEC, LIST(run), 0 },
        { "warm", CONFIG_WORD_ANY, 1 << KIND_PRESTARTED | ONLY, LIST(warm), 0 },
        { "fresh", CONFIG_WORD_ANY, ONLY, LIST(fresh), 1 << KIND_PRESTARTED },
        { "prompt", CONFIG_WORD_ANY, ONLY, LIST(prompt), 1 << KIND_PRESTARTED | 1 << KIND_EXEC },
        { "prepare", CONFIG_WORD_ANY, 0, LIST(prepare), 0 },
        { "paths", CONFIG_WORD_PATH, 0, LIST(paths), 0 },
        { "links", CONFIG_WORD_LINK, 0, LIST(links), 0 },
        { "env", CONFIG_WORD_VARIABLE, 0, LIST(env), 0 },
        { "extra_calls", CONFIG_WORD_CALL, 0, LIST(extra_calls), 0 },
};

enum { N_LISTS = sizeof lists / sizeof lists[0] };

static char ***place_of(struct config_runtime *r, const struct list_key *key)
{
        return (char ***)(void *)((char *)r + key->offset);
}

static char **list_of(const struct config_runtime *r, const struct list_key *key)
{
        char **list;
        memcpy(&list, (const char *)r + key->offset, sizeof list);
        return list;
}

/* ---------------------------------------------------------------- checks while libconfuse reads, for the line number
 */

static int check_kind(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
        for (int kind = KIND_PRESTARTED; kind <= KIND_EXEC; kind++)
                if (strcmp(value, kind_name((enum kind)kind)) == 0) {
                        *(const char **)result = value;
                        return 0;
                }
        cfg_error(cfg, "%s is exec, prestarted or compiled, not \"%s\"", opt->name, value);
        return -1;
}

static int check_file(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
        *(const char **)result = value;
        if (strlen(value) <= MAX_MAIN_FILE && !strchr(value, '/') && strcmp(value, ".") != 0)
                return config_word_check(cfg, opt->name, value, CONFIG_WORD_RELATIVE);
        cfg_error(cfg, "%s takes the name of a file, of at most %d bytes and without a slash, not \"%s\"", opt->name,
                  MAX_MAIN_FILE, value);
        return -1;
}

static int check_package(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
        *(const char **)result = value;
        return config_word_check(cfg, opt->name, value, CONFIG_WORD_PACKAGE);
}

static int check_words(cfg_t *cfg, cfg_opt_t *opt, enum config_word word)
{
        unsigned n = cfg_opt_size(opt);
        if (n > MAX_WORDS) {
                cfg_error(cfg, "%s has %u words; there is room for %d", opt->name, n, MAX_WORDS);
                return -1;
        }
        for (unsigned i = 0; i < n; i++)
                if (config_word_check(cfg, opt->name, cfg_opt_getnstr(opt, i), word) < 0)
                        return -1;
        return 0;
}

static int check_list(cfg_t *cfg, cfg_opt_t *opt)
{
        if (strcmp(opt->name, "prepare") == 0 && cfg_opt_size(opt) > MAX_PREPARE) {
                cfg_error(cfg, "%s has %u words; there is room for %d", opt->name, cfg_opt_size(opt), MAX_PREPARE);
                return -1;
        }
        for (size_t i = 0; i < N_LISTS; i++)
                if (strcmp(opt->name, lists[i].key) == 0)
                        return check_words(cfg, opt, lists[i].word);
        return -1;
}

static int check_aliases(cfg_t *cfg, cfg_opt_t *opt)
{
        size_t len = 0;
        if (check_words(cfg, opt, CONFIG_WORD_NAME) < 0)
                return -1;
        for (unsigned i = 0; i < cfg_opt_size(opt); i++)
                len += strlen(cfg_opt_getnstr(opt, i)) + (i > 0);
        if (len <= MAX_ALIASES)
                return 0;
        cfg_error(cfg, "%s are %zu bytes together; there is room for %d", opt->name, len, MAX_ALIASES);
        return -1;
}

/* An overlay takes its directories as text in which these characters have a meaning. */
static int check_paths(cfg_t *cfg, cfg_opt_t *opt)
{
        if (cfg_opt_size(opt) > MAX_PATHS) {
                cfg_error(cfg, "%s has %u directories; there is room for %d", opt->name, cfg_opt_size(opt), MAX_PATHS);
                return -1;
        }
        for (unsigned i = 0; i < cfg_opt_size(opt); i++) {
                const char *path = cfg_opt_getnstr(opt, i);
                if (!strpbrk(path, ",:\\"))
                        continue;
                cfg_error(cfg, "%s takes no path with a comma, a colon or a backslash, such as \"%s\"", opt->name,
                          path);
                return -1;
        }
        return check_list(cfg, opt);
}

void config_runtime_options(cfg_opt_t options[CONFIG_RUNTIME_OPTIONS], cfg_opt_t *limits, struct config_sink *sink)
{
        static const char *const sections[] = { "limits", "ceilings", "compile_limits", "compile_ceilings" };
        size_t n = 0;

        for (size_t i = 0; i < N_LISTS; i++) {
                options[n] = (cfg_opt_t)CFG_STR_LIST(lists[i].key, NULL, CFGF_NODEFAULT);
                options[n++].validcb = lists[i].offset == LIST(paths) ? check_paths : check_list;
        }
        options[n] = (cfg_opt_t)CFG_STR_LIST("aliases", NULL, CFGF_NODEFAULT);
        options[n++].validcb = check_aliases;
        options[n++] = (cfg_opt_t)CFG_STR_CB("kind", NULL, CFGF_NODEFAULT, check_kind);
        options[n++] = (cfg_opt_t)CFG_STR_CB("main_file", NULL, CFGF_NODEFAULT, check_file);
        options[n++] = (cfg_opt_t)CFG_STR_CB("package", NULL, CFGF_NODEFAULT, check_package);
        options[n++] = (cfg_opt_t)CFG_BOOL("echoes", cfg_false, CFGF_NONE);
        for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
                options[n++] = (cfg_opt_t)CFG_SEC(sections[i], limits, CFGF_NODEFAULT);
        options[n++] = config_sink_option(sink);
        options[n++] = config_end_option(true);
        options[n] = (cfg_opt_t)CFG_END();
}

/* ---------------------------------------------------------------- from libconfuse's tree to the struct */

static int take_kind(struct config_runtime *r, cfg_t *section, struct err *e)
{
        const char *value = cfg_getstr(section, "kind");
        for (int kind = KIND_PRESTARTED; value && kind <= KIND_EXEC; kind++)
                if (strcmp(value, kind_name((enum kind)kind)) == 0)
                        r->kind = (enum kind)kind;
        if (!r->kind)
                return err_say(e, EINVAL, "line %d: runtime %s has no kind", section->line, r->name);
        return 0;
}

static int take_lists(struct config_runtime *r, cfg_t *section, struct err *e)
{
        for (size_t i = 0; i < N_LISTS; i++) {
                const struct list_key *key = &lists[i];
                bool has = cfg_size(section, key->key) > 0, must = (key->kinds & 1u << r->kind) != 0;

                if (must && !has)
                        return err_say(e, EINVAL, "line %d: runtime %s is %s and has no %s", section->line, r->name,
                                       kind_name(r->kind), key->key);
                if (has && !must && key->kinds & ONLY && !(key->also & 1u << r->kind))
                        return err_say(e, EINVAL, "line %d: runtime %s is %s; no runtime of this kind has %s",
                                       section->line, r->name, kind_name(r->kind), key->key);
                int n = config_list_take(section, key->key, place_of(r, key), NULL, e);
                if (n < 0)
                        return n;
        }
        return 0;
}

static int take_limits(struct config_runtime *r, cfg_t *section, struct err *e)
{
        const struct config_limits run = { "limits", "ceilings", r->standard, r->ceiling };
        const struct config_limits compile = { "compile_limits", "compile_ceilings", r->compile_standard,
                                               r->compile_ceiling };
        char who[64];

        snprintf(who, sizeof who, "runtime %s", r->name);
        if (r->kind != KIND_COMPILED && (cfg_getsec(section, compile.limits) || cfg_getsec(section, compile.ceilings)))
                return err_say(e, EINVAL, "line %d: %s is %s; no runtime of this kind has %s", section->line, who,
                               kind_name(r->kind),
                               cfg_getsec(section, compile.limits) ? compile.limits : compile.ceilings);
        config_limits_init(r->standard, r->ceiling);
        config_limits_init(r->compile_standard, r->compile_ceiling);
        int n = config_limits_take(section, &run, who, false, e);
        return n < 0 ? n : config_limits_take(section, &compile, who, false, e);
}

/* Each name may occur only once: a second one would never be found. */
static int check_names(const struct config_runtime *r, cfg_t *section, struct err *e)
{
        for (unsigned i = 0; i < cfg_size(section, "aliases"); i++) {
                const char *alias = cfg_getnstr(section, "aliases", i);
                bool again = strcmp(alias, r->name) == 0;
                for (unsigned k = 0; k < i && !again; k++)
                        again = strcmp(alias, cfg_getnstr(section, "aliases", k)) == 0;
                if (again)
                        return err_say(e, EINVAL, "line %d: runtime %s is called %s twice", section->line, r->name,
                                       alias);
        }
        return 0;
}

static bool has_word(char *const *list, const char *word)
{
        for (; list && *list; list++)
                if (strcmp(*list, word) == 0)
                        return true;
        return false;
}

/* Inline code is a file called main_file, which must have one of the language's own extensions. */
static int check_extensions(const struct config_runtime *r, cfg_t *section, struct err *e)
{
        const char *dot = strrchr(r->main_file, '.');

        if (r->extensions && (!dot || dot == r->main_file || !has_word(r->extensions, dot + 1)))
                return err_say(e, EINVAL, "line %d: runtime %s: main_file is %s, which ends in none of its extensions",
                               section->line, r->name, r->main_file);
        if (!r->extensions && (has_word(r->compile, "{sources}") || has_word(r->run, "{sources}")))
                return err_say(e, EINVAL,
                               "line %d: runtime %s names {sources}, which are the files with one of its extensions, "
                               "and has no extensions",
                               section->line, r->name);
        return 0;
}

int config_runtime_take(struct config_runtime *r, cfg_t *section, struct err *e)
{
        r->line = section->line;
        r->name = strdup(cfg_title(section));
        if (!r->name)
                return err_set(e, ENOMEM, "a runtime");
        if (!config_is_name(r->name))
                return err_say(e, EINVAL, "line %d: a runtime's name is 1 to %d of a-z, 0-9, _, + and -", section->line,
                               WIRE_MAX_LANGUAGE);
        if (cfg_size(section, "main_file") == 0)
                return err_say(e, EINVAL, "line %d: runtime %s has no main_file", section->line, r->name);
        r->echoes = cfg_getbool(section, "echoes") != cfg_false;
        int n = take_kind(r, section, e);
        if (n == 0 && r->echoes && r->kind != KIND_PRESTARTED)
                n = err_say(e, EINVAL, "line %d: runtime %s is %s; no runtime of this kind echoes", section->line,
                            r->name, kind_name(r->kind));
        if (n == 0)
                n = check_names(r, section, e);
        if (n == 0)
                n = config_list_join(section, "aliases", &r->aliases, e);
        if (n == 0)
                n = config_string_take(section, "main_file", &r->main_file, e);
        if (n == 0)
                n = config_string_take(section, "package", &r->package, e);
        if (n == 0)
                n = take_lists(r, section, e);
        if (n == 0)
                n = check_extensions(r, section, e);
        if (n == 0 && r->compile_flags && r->kind != KIND_COMPILED)
                n = err_say(e, EINVAL, "line %d: runtime %s is %s; no runtime of this kind has compile_flags",
                            section->line, r->name, kind_name(r->kind));
        return n < 0 ? n : take_limits(r, section, e);
}

/* ---------------------------------------------------------------- the public functions */

static const char *identity_of(const struct config_runtime *r)
{
        return r->identity ? r->identity : "";
}

bool config_runtime_same(const struct config_runtime *a, const struct config_runtime *b)
{
        for (size_t i = 0; i < N_LISTS; i++)
                if (!config_list_same(list_of(a, &lists[i]), list_of(b, &lists[i])))
                        return false;
        return a->kind == b->kind && a->echoes == b->echoes && strcmp(a->name, b->name) == 0 &&
               strcmp(a->aliases, b->aliases) == 0 && strcmp(a->main_file, b->main_file) == 0 &&
               strcmp(identity_of(a), identity_of(b)) == 0;
}

static char **copy_list(char *const *from)
{
        size_t n = 0;
        while (from[n])
                n++;
        char **to = calloc(n + 1, sizeof *to);
        for (size_t i = 0; to && i < n; i++) {
                to[i] = strdup(from[i]);
                if (!to[i]) {
                        config_list_free(to);
                        return NULL;
                }
        }
        return to;
}

int config_runtime_copy(struct config_runtime *to, const struct config_runtime *from, struct err *e)
{
        struct config_runtime copy = *from;
        bool good = true;

        for (size_t i = 0; i < N_LISTS; i++)
                *place_of(&copy, &lists[i]) = NULL;
        copy.name = strdup(from->name);
        copy.aliases = strdup(from->aliases);
        copy.main_file = strdup(from->main_file);
        copy.package = strdup(from->package);
        copy.identity = strdup(identity_of(from));
        for (size_t i = 0; i < N_LISTS && good; i++) {
                char **list = list_of(from, &lists[i]);
                *place_of(&copy, &lists[i]) = list ? copy_list(list) : NULL;
                good = !list || list_of(&copy, &lists[i]);
        }
        if (good && copy.name && copy.aliases && copy.main_file && copy.package && copy.identity) {
                *to = copy;
                return 0;
        }
        config_runtime_fini(&copy);
        return err_set(e, ENOMEM, "a runtime");
}

void config_runtime_fini(struct config_runtime *r)
{
        for (size_t i = 0; i < N_LISTS; i++)
                config_list_free(list_of(r, &lists[i]));
        free(r->name);
        free(r->aliases);
        free(r->main_file);
        free(r->package);
        free(r->identity);
        *r = (struct config_runtime){ 0 };
}

/* ---------------------------------------------------------------- back to text */

/* Within single quotes libconfuse takes all characters but these two literally; within double quotes it would insert
 * environment variables. */
static void print_word(FILE *to, const char *word)
{
        fputc('\'', to);
        for (; *word; word++) {
                if (*word == '\'' || *word == '\\')
                        fputc('\\', to);
                fputc(*word, to);
        }
        fputc('\'', to);
}

static void print_limits(FILE *to, const char *key, const int64_t *values)
{
        fprintf(to, "        %s {", key);
        for (size_t i = 0; i < LIMIT_COUNT; i++)
                fprintf(to, " %s = %lld%s", limit_table[i].option, (long long)values[i],
                        limit_table[i].unit == LIMIT_UNIT_US ? "us" : "");
        fprintf(to, " }\n");
}

static void print_aliases(FILE *to, const char *aliases)
{
        const char *joint = "";

        fprintf(to, "        aliases = {");
        for (struct span word = words_next(&aliases); word.len > 0; word = words_next(&aliases)) {
                fprintf(to, "%s '%.*s'", joint, (int)word.len, (const char *)word.data);
                joint = ",";
        }
        fprintf(to, " }\n");
}

static void print_runtime(FILE *to, const struct config_runtime *r)
{
        fprintf(to, "runtime '%s' {\n        kind = %s\n        main_file = ", r->name, kind_name(r->kind));
        print_word(to, r->main_file);
        fprintf(to, "\n        echoes = %s\n", r->echoes ? "true" : "false");
        print_aliases(to, r->aliases);
        if (*r->package)
                fprintf(to, "        package = '%s'\n", r->package);
        for (size_t i = 0; i < N_LISTS; i++) {
                char **list = list_of(r, &lists[i]);
                if (!list)
                        continue;
                fprintf(to, "        %s = {", lists[i].key);
                for (char **word = list; *word; word++) {
                        fputs(word == list ? " " : ", ", to);
                        print_word(to, *word);
                }
                fprintf(to, " }\n");
        }
        print_limits(to, "ceilings", r->ceiling);
        print_limits(to, "limits", r->standard);
        if (r->kind == KIND_COMPILED) {
                print_limits(to, "compile_ceilings", r->compile_ceiling);
                print_limits(to, "compile_limits", r->compile_standard);
        }
        fprintf(to, "}\n");
}

/* Closes the stream, and returns its text; NULL if memory ran out. */
static char *finish(FILE *to, char **text)
{
        bool failed = ferror(to) != 0;
        if (fclose(to) == 0 && !failed)
                return *text;
        free(*text);
        return NULL;
}

static void print_identity(FILE *to, const struct config_runtime *r)
{
        if (*identity_of(r))
                fprintf(to, "identity '%s' {\n        is = '%s'\n}\n", r->name, r->identity);
}

char *config_runtime_text(const struct config_runtime *r)
{
        char *text = NULL;
        size_t size;
        FILE *to = open_memstream(&text, &size);
        if (!to)
                return NULL;
        print_runtime(to, r);
        print_identity(to, r);
        return finish(to, &text);
}

char *config_identity_text(const struct config_runtime *r)
{
        char *text = NULL;
        size_t size;
        FILE *to = open_memstream(&text, &size);
        if (!to)
                return NULL;
        print_identity(to, r);
        return finish(to, &text);
}

char *config_absent_text(const struct config_absent *a)
{
        char *text = NULL;
        size_t size;
        FILE *to = open_memstream(&text, &size);
        if (!to)
                return NULL;
        fprintf(to, "absent '%s' {\n", a->name);
        print_aliases(to, a->aliases);
        if (a->broken)
                fprintf(to, "        broken = true\n");
        fprintf(to, "        reason = ");
        print_word(to, a->reason);
        fprintf(to, "\n}\n");
        return finish(to, &text);
}
