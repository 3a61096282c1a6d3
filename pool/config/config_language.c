/* Languages in the configuration: see config_language.h. */
#include "pool/config/config_language.h"

#include "pool/config/config_limits.h"
#include "pool/config/plugins.h"
#include "proto/base/cores.h"
#include "proto/ipc/channel.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACE(field) offsetof(struct config_language, field), sizeof(((struct config_language *)0)->field)

static const struct config_setting settings[] = {
        { "warm", LIMIT_UNIT_COUNT, 0, 0, CHANNEL_MAX_SLOTS - 1, PLACE(warm) },
        { "warm_min", LIMIT_UNIT_COUNT, 0, 0, CHANNEL_MAX_SLOTS - 1, PLACE(warm_min) },
        { "warm_max", LIMIT_UNIT_COUNT, 0, 0, CHANNEL_MAX_SLOTS - 1, PLACE(warm_max) },
        { "running", LIMIT_UNIT_COUNT, 0, 0, CHANNEL_MAX_SLOTS - 1, PLACE(running) },
        { "generation_forks", LIMIT_UNIT_COUNT, 20000, 0, INT64_C(1) << 40, PLACE(generation_forks) },
        { "generation_time", LIMIT_UNIT_US, INT64_C(3600) * 1000000, 0, CONFIG_MAX_TIME, PLACE(generation_us) },
};

enum { N_SETTINGS = sizeof settings / sizeof settings[0] };

/* The empty word stands for the runtime's own list, which is unknown while a section is read. So += adds to that
 * list. */
static char standard_preload[] = "{ '' }";

static int check_setting(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
        return config_value_check(cfg, opt, value, result, settings, N_SETTINGS);
}

static int check_runtime(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
        *(const char **)result = value;
        return config_word_check(cfg, opt->name, value, CONFIG_WORD_NAME);
}

static int check_directory(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
        *(const char **)result = value;
        return config_word_check(cfg, opt->name, value, CONFIG_WORD_SHOWN);
}

void config_language_options(cfg_opt_t options[CONFIG_LANGUAGE_OPTIONS], cfg_opt_t *limits, struct config_sink *sink)
{
        static const char *const sections[] = { "limits", "ceilings", "compile_limits", "compile_ceilings" };
        size_t n = config_value_options(options, settings, N_SETTINGS, check_setting);

        options[n++] = (cfg_opt_t)CFG_STR_CB("runtime", NULL, CFGF_NODEFAULT, check_runtime);
        options[n++] = (cfg_opt_t)CFG_STR_CB("packages", NULL, CFGF_NODEFAULT, check_directory);
        options[n++] = (cfg_opt_t)CFG_BOOL("required", cfg_true, CFGF_NONE);
        options[n++] = (cfg_opt_t)CFG_STR_LIST("preload", standard_preload, CFGF_NONE);
        for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
                options[n++] = (cfg_opt_t)CFG_SEC(sections[i], limits, CFGF_NODEFAULT);
        options[n++] = config_sink_option(sink);
        options[n++] = config_end_option(true);
        options[n] = (cfg_opt_t)CFG_END();
}

/* The default of warm_min. It is 1 for prestarted and compiled languages. Prestarted programs share no memory, so many
 * of them would cost much. A compiler takes hundreds of milliseconds, of which a warm sandbox saves only a few. */
static unsigned standard_warm(const struct config_language *l)
{
        enum kind kind = l->data ? l->data->kind : KIND_FORKED;
        if (kind == KIND_PRESTARTED || kind == KIND_COMPILED)
                return 1;
        return 2 * cores() > 4 ? 2 * cores() : 4;
}

/* Error sentences name the section's last line, because libconfuse keeps no other line numbers. */
static int take_warm(struct config_language *l, cfg_t *section, struct err *e)
{
        bool has_min = cfg_size(section, "warm_min") > 0, has_max = cfg_size(section, "warm_max") > 0;
        unsigned standard = standard_warm(l);

        if (l->warm > 0 && (has_min || has_max))
                return err_say(
                        e, EINVAL,
                        "line %d: language %s: warm = %u sets an exact number, and %s sets a bound; give only one "
                        "of them",
                        section->line, l->name, l->warm, has_min ? "warm_min" : "warm_max");
        if (has_min && has_max && l->warm_min > l->warm_max)
                return err_say(e, EINVAL, "line %d: language %s: warm_min is %u, over warm_max, which is %u",
                               section->line, l->name, l->warm_min, l->warm_max);
        if (l->warm > 0)
                l->warm_min = l->warm_max = l->warm;
        else if (!has_min)
                l->warm_min = has_max && l->warm_max < standard ? l->warm_max : standard;
        if (l->warm == 0 && !has_max) {
                unsigned room = CHANNEL_MAX_SLOTS - l->running;
                l->warm_max = l->running < room ? l->running : room;
                if (l->warm_max < l->warm_min)
                        l->warm_max = l->warm_min;
        }
        if (l->warm_max + l->running > CHANNEL_MAX_SLOTS)
                return err_say(e, EINVAL,
                               "line %d: language %s: warm_max (%u) and running (%u) together are at most %d",
                               section->line, l->name, l->warm_max, l->running, CHANNEL_MAX_SLOTS);
        return 0;
}

/* Takes the limits of the language's section; they override the limits of its runtime. */
static int take_limits(struct config_language *l, cfg_t *section, bool lenient, struct err *e)
{
        const struct config_limits run = { "limits", "ceilings", l->standard, l->ceiling };
        const struct config_limits compile = { "compile_limits", "compile_ceilings", l->compile_standard,
                                               l->compile_ceiling };
        char who[64];

        snprintf(who, sizeof who, "language %s", l->name);
        config_limits_init(l->standard, l->ceiling);
        config_limits_init(l->compile_standard, l->compile_ceiling);
        if (l->data) {
                memcpy(l->standard, l->data->standard, sizeof l->standard);
                memcpy(l->ceiling, l->data->ceiling, sizeof l->ceiling);
                memcpy(l->compile_standard, l->data->compile_standard, sizeof l->compile_standard);
                memcpy(l->compile_ceiling, l->data->compile_ceiling, sizeof l->compile_ceiling);
        }
        int r = config_limits_take(section, &run, who, lenient, e);
        return r < 0 ? r : config_limits_take(section, &compile, who, lenient, e);
}

static int take_packages(struct config_language *l, const struct config *c, cfg_t *section, struct err *e)
{
        const char *own = cfg_getstr(section, "packages");
        int n = own ? asprintf(&l->packages, "%s", own) : asprintf(&l->packages, "%s/%s", c->packages, l->runtime);
        if (n >= 0)
                return 0;
        l->packages = NULL;
        return err_set(e, ENOMEM, "a language");
}

/* The default list of preloaded modules, from the table of plug-ins. It is empty for a runtime that is not in the
 * table. */
static const char *const *find_preload(const struct config_language *l)
{
        static const char *const none[] = { NULL };
        const struct config_plugin *plugin = l->data ? NULL : config_find_plugin(l->runtime);
        return plugin ? plugin->preload : none;
}

static size_t count_words(const char *const *list)
{
        size_t n = 0;
        while (list[n])
                n++;
        return n;
}

static int add_preload(struct config_language *l, const char *name, struct err *e)
{
        l->preload[l->n_preload] = strdup(name);
        return l->preload[l->n_preload++] ? 0 : err_set(e, ENOMEM, "preload");
}

static int take_preload(struct config_language *l, cfg_t *section, struct err *e)
{
        unsigned n = cfg_size(section, "preload");
        const char *const *standard = find_preload(l);
        int r = 0;

        l->preload = calloc(n + count_words(standard) + 1, sizeof *l->preload);
        if (!l->preload)
                return err_set(e, ENOMEM, "preload");
        for (unsigned i = 0; i < n && r == 0; i++) {
                const char *word = cfg_getnstr(section, "preload", i);
                if (*word)
                        r = add_preload(l, word, e);
                for (; !*word && *standard && r == 0; standard++)
                        r = add_preload(l, *standard, e);
        }
        if (r == 0 && l->n_preload > 0 && l->data)
                return err_say(e, EINVAL,
                               "line %d: language %s: its runtime is %s; runtimes of this kind can't preload modules",
                               section->line, l->name, kind_name(l->data->kind));
        return r;
}

int config_language_take(struct config_language *l, const struct config *c, cfg_t *section, bool lenient, struct err *e)
{
        const char *runtime = cfg_getstr(section, "runtime");

        l->name = strdup(cfg_title(section));
        l->runtime = strdup(runtime ? runtime : cfg_title(section));
        if (!l->name || !l->runtime)
                return err_set(e, ENOMEM, "a language");
        if (!config_is_name(l->name))
                return err_say(e, EINVAL, "line %d: a language's name is 1 to %d of a-z, 0-9, _, + and -",
                               section->line, WIRE_MAX_LANGUAGE);
        l->data = config_find_runtime(c, l->runtime);

        config_value_take(section, settings, N_SETTINGS, l);
        l->required = cfg_getbool(section, "required") != cfg_false;
        if (l->running == 0)
                l->running = 8 * cores() > 16 ? 8 * cores() : 16;
        int r = take_warm(l, section, e);
        if (r == 0)
                r = take_limits(l, section, lenient, e);
        if (r == 0)
                r = take_packages(l, c, section, e);
        if (r < 0)
                return r;
        return take_preload(l, section, e);
}

void config_language_fini(struct config_language *l)
{
        free(l->name);
        free(l->runtime);
        free(l->packages);
        config_list_free(l->preload);
        *l = (struct config_language){ 0 };
}
