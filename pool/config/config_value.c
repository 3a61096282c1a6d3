/* Values of a configuration: see config_value.h. */
#include "pool/config/config_value.h"

#include "pool/config/config.h"
#include "pool/config/flags.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char sink_name[] = " where complaints go";

static int refuse_sink(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
        (void)value;
        (void)result;
        cfg_error(cfg, "no such option '%s'", opt->name);
        return -1;
}

cfg_opt_t config_sink_option(struct config_sink *sink)
{
        cfg_opt_t option = CFG_PTR_CB(sink_name, NULL, CFGF_NODEFAULT, refuse_sink, NULL);
        option.simple_value.ptr = (void *)sink;
        return option;
}

struct config_sink *config_sink_find(cfg_t *cfg)
{
        struct config_sink *sink = NULL;
        for (cfg_opt_t *o = cfg->opts; o && o->name; o++)
                if (strcmp(o->name, sink_name) == 0)
                        sink = (void *)o->simple_value.ptr;
        return sink;
}

void config_sink_error(cfg_t *cfg, const char *fmt, va_list args)
{
        struct config_sink *sink = config_sink_find(cfg);
        if (!sink || sink->err.code)
                return;

        char text[ERR_TEXT_SIZE];
        if (vsnprintf(text, sizeof text, fmt, args) < 0)
                text[0] = '\0';
        err_say(&sink->err, EINVAL, "line %d: %s", cfg->line, text);
}

static const char *unit_hint(enum limit_unit unit)
{
        switch (unit) {
        case LIMIT_UNIT_US:
                return "a time such as 500ms, 6s or 2m";
        case LIMIT_UNIT_BYTES:
                return "a size such as 4096, 64K or 128M";
        case LIMIT_UNIT_COUNT:
                break;
        }
        return "a whole number";
}

/* The value in its unit's usual notation, for bounds in sentences. */
static void print_value(char *text, size_t size, enum limit_unit unit, int64_t v)
{
        if (unit == LIMIT_UNIT_US && v % 1000000 == 0)
                snprintf(text, size, "%llds", (long long)v / 1000000);
        else if (unit == LIMIT_UNIT_US)
                snprintf(text, size, "%lldus", (long long)v);
        else if (unit == LIMIT_UNIT_BYTES && v >= 1 << 20 && v % (1 << 20) == 0)
                snprintf(text, size, "%lldM", (long long)v >> 20);
        else
                snprintf(text, size, "%lld", (long long)v);
}

int config_value_check(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result, const struct config_setting *table,
                       size_t n)
{
        for (size_t i = 0; i < n; i++) {
                const struct config_setting *s = &table[i];
                int64_t v;
                if (strcmp(s->key, opt->name) != 0)
                        continue;
                if (limit_parse(s->unit, value, &v) < 0) {
                        cfg_error(cfg, "%s is %s, not \"%s\"", s->key, unit_hint(s->unit), value);
                        return -1;
                }
                if (v < s->min || v > s->max) {
                        char min[32], max[32];
                        print_value(min, sizeof min, s->unit, s->min);
                        print_value(max, sizeof max, s->unit, s->max);
                        cfg_error(cfg, "%s lies between %s and %s, and %s does not", s->key, min, max, value);
                        return -1;
                }
                *(const char **)result = value;
                return 0;
        }
        return -1;
}

size_t config_value_options(cfg_opt_t *options, const struct config_setting *table, size_t n, cfg_callback_t check)
{
        for (size_t i = 0; i < n; i++)
                options[i] = (cfg_opt_t)CFG_STR_CB(table[i].key, NULL, CFGF_NODEFAULT, check);
        return n;
}

void config_value_take(cfg_t *cfg, const struct config_setting *table, size_t n, void *base)
{
        for (size_t i = 0; i < n; i++) {
                const struct config_setting *s = &table[i];
                int64_t v = s->standard;
                if (cfg_size(cfg, s->key) > 0)
                        limit_parse(s->unit, cfg_getstr(cfg, s->key), &v); /* the value was checked when it was read */

                char *field = (char *)base + s->offset;
                if (s->size == sizeof(uint32_t)) {
                        uint32_t narrow = (uint32_t)v;
                        memcpy(field, &narrow, sizeof narrow);
                } else {
                        memcpy(field, &v, sizeof v);
                }
        }
}

/* ---------------------------------------------------------------- the end of the text */

static int accept_end(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
        (void)cfg;
        (void)opt;
        *(const char **)result = value;
        return 0;
}

static int refuse_end(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
        (void)opt;
        (void)value;
        (void)result;
        cfg_error(cfg, "the text ends within %s: a } is missing", cfg->name);
        return -1;
}

cfg_opt_t config_end_option(bool in_section)
{
        return (cfg_opt_t)CFG_STR_CB(CONFIG_END_KEY, NULL, CFGF_NODEFAULT, in_section ? refuse_end : accept_end);
}

/* ---------------------------------------------------------------- words */

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool is_made_of(const char *word, const char *characters)
{
        return *word != '\0' && word[strspn(word, characters)] == '\0';
}

bool config_is_name(const char *word)
{
        return strlen(word) <= WIRE_MAX_LANGUAGE && is_made_of(word, LOWER DIGITS "_+-");
}

/* Is any of the parts between slashes ".."? */
static bool goes_up(const char *path)
{
        for (const char *at = path; *at; at += strspn(at, "/")) {
                size_t len = strcspn(at, "/");
                if (len == 2 && memcmp(at, "..", 2) == 0)
                        return true;
                at += len;
        }
        return false;
}

static bool is_variable(const char *word)
{
        const char *equals = strchr(word, '=');
        size_t len = strspn(word, LOWER UPPER DIGITS "_");
        return equals && len > 0 && word + len == equals && (*word < '0' || *word > '9');
}

static bool is_link(const char *word)
{
        size_t len = strcspn(word, "=");
        return word[0] == '/' && len > 1 && memchr(word + 1, '/', len - 1) == NULL && word[1] != '.' &&
               word[len] == '=' && word[len + 1] == '/' && !goes_up(word + len + 1);
}

int config_word_check(cfg_t *cfg, const char *key, const char *word, enum config_word must_be)
{
        const char *must = NULL;

        switch (must_be) {
        case CONFIG_WORD_ANY:
                must = *word ? NULL : "a word that is not empty";
                break;
        case CONFIG_WORD_NAME:
                must = config_is_name(word) ? NULL : "a name of at most 31 of a-z, 0-9, _, + and -";
                break;
        case CONFIG_WORD_PATH:
                must = word[0] == '/' && !goes_up(word) ? NULL : "an absolute path without ..";
                break;
        case CONFIG_WORD_SHOWN:
                must = word[0] == '/' && !goes_up(word) && !strpbrk(word, ",:\\")
                               ? NULL
                               : "an absolute path without .., comma, colon or backslash";
                break;
        case CONFIG_WORD_RELATIVE:
                must = *word && word[0] != '/' && !goes_up(word) ? NULL : "a name below the work directory without ..";
                break;
        case CONFIG_WORD_EXTENSION:
                must = is_made_of(word, LOWER UPPER DIGITS "_+-") ? NULL : "what follows the dot of a file's name";
                break;
        case CONFIG_WORD_VARIABLE:
                must = is_variable(word) ? NULL : "NAME=VALUE";
                break;
        case CONFIG_WORD_LINK:
                must = is_link(word) ? NULL : "/NAME=TARGET, with an absolute path without .. as the target";
                break;
        case CONFIG_WORD_CALL:
                must = is_made_of(word, LOWER DIGITS "_") ? NULL : "the name of a system call";
                break;
        case CONFIG_WORD_FLAG:
                must = flags_is_form(word) ? NULL : "flags that begin with a dash and close their braces";
                break;
        case CONFIG_WORD_PACKAGE:
                must = is_made_of(word, LOWER DIGITS "+-. ") ? NULL : "names of Debian packages with spaces between";
                break;
        }
        if (!must)
                return 0;
        cfg_error(cfg, "%s takes %s, and \"%s\" is none", key, must, word);
        return -1;
}

/* ---------------------------------------------------------------- lists */

int config_list_take(cfg_t *cfg, const char *key, char ***list, size_t *n, struct err *e)
{
        unsigned size = cfg_size(cfg, key);

        if (n)
                *n = size;
        if (size == 0)
                return 0;
        *list = calloc((size_t)size + 1, sizeof **list);
        for (unsigned i = 0; *list && i < size; i++) {
                (*list)[i] = strdup(cfg_getnstr(cfg, key, i));
                if (!(*list)[i])
                        return err_set(e, ENOMEM, "%s", key);
        }
        return *list ? 0 : err_set(e, ENOMEM, "%s", key);
}

void config_list_free(char **list)
{
        for (char **at = list; at && *at; at++)
                free(*at);
        free(list);
}

bool config_list_same(char *const *a, char *const *b)
{
        for (; a && b && *a && *b; a++, b++)
                if (strcmp(*a, *b) != 0)
                        return false;
        return !(a && *a) && !(b && *b);
}

int config_list_join(cfg_t *cfg, const char *key, char **text, struct err *e)
{
        size_t size = 1, len = 0;

        for (unsigned i = 0; i < cfg_size(cfg, key); i++)
                size += strlen(cfg_getnstr(cfg, key, i)) + 1;
        *text = calloc(1, size);
        if (!*text)
                return err_set(e, ENOMEM, "%s", key);
        for (unsigned i = 0; i < cfg_size(cfg, key); i++)
                len += (size_t)snprintf(*text + len, size - len, "%s%s", i ? " " : "", cfg_getnstr(cfg, key, i));
        return 0;
}

int config_string_take(cfg_t *cfg, const char *key, char **text, struct err *e)
{
        const char *value = cfg_getstr(cfg, key);
        *text = strdup(value ? value : "");
        return *text ? 0 : err_set(e, ENOMEM, "%s", key);
}
