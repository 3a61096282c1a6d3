/* Reading the configuration: see config.h. libconfuse knows the grammar (sections, lists, quotes, comments, lines); the
 * tables below know every key, its bounds and its default, and all values go through one parser with units. */
#include "pool/config.h"

#include "pool/config_value.h"
#include "proto/channel.h"
#include "proto/own.h"
#include "proto/wire.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_MEMORY ((int64_t)1 << 40)
#define MAX_TIME   ((int64_t)24 * 3600 * 1000000)

enum { CONFIG_MAX_FILE = 1 << 20 };

#define PLACE(field) offsetof(struct config, field), sizeof(((struct config *)0)->field)

static const struct config_setting settings[] = {
        { "max_request_bytes", LIMIT_UNIT_BYTES, WIRE_MAX_REQUEST, 1024, 1 << 30, PLACE(max_request_bytes) },
        { "max_answer_bytes", LIMIT_UNIT_BYTES, WIRE_MAX_ANSWER, 1024, 1 << 30, PLACE(max_answer_bytes) },
        { "max_connections", LIMIT_UNIT_COUNT, 10240, 1, 1 << 20, PLACE(max_connections) },
        { "max_in_flight", LIMIT_UNIT_COUNT, 256, 1, 4096, PLACE(max_in_flight) },
        { "max_queue", LIMIT_UNIT_COUNT, 4096, 1, 1 << 20, PLACE(max_queue) },
        { "max_queue_bytes", LIMIT_UNIT_BYTES, 256 << 20, 1 << 20, MAX_MEMORY, PLACE(max_queue_bytes) },
        { "max_memory", LIMIT_UNIT_BYTES, 1 << 30, 16 << 20, MAX_MEMORY, PLACE(max_memory) },
        { "warm_memory", LIMIT_UNIT_BYTES, 512 << 20, 1 << 20, MAX_MEMORY, PLACE(warm_memory) },
        { "warm_half_life", LIMIT_UNIT_US, 120000000, 1000, MAX_TIME, PLACE(warm_half_life_us) },
        { "client_share", LIMIT_UNIT_COUNT, 75, 1, 100, PLACE(client_share) },
        { "frame_timeout", LIMIT_UNIT_US, 10000000, 1000, MAX_TIME, PLACE(frame_timeout_us) },
        { "write_timeout", LIMIT_UNIT_US, 30000000, 1000, MAX_TIME, PLACE(write_timeout_us) },
        { "max_unsent_bytes", LIMIT_UNIT_BYTES, 64 << 20, 1024, MAX_MEMORY, PLACE(max_unsent_bytes) },
        { "drain", LIMIT_UNIT_US, 30000000, 0, MAX_TIME, PLACE(drain_us) },
        { "collect_max_files", LIMIT_UNIT_COUNT, 256, 1, 65536, PLACE(collect_max_files) },
        { "collect_max_bytes", LIMIT_UNIT_BYTES, 16 << 20, 1, 1 << 30, PLACE(collect_max_bytes) },
        { "collect_timeout", LIMIT_UNIT_US, 2000000, 1000, MAX_TIME, PLACE(collect_us) },
        { "uid_base", LIMIT_UNIT_COUNT, 1879048192, 1000, 4000000000, PLACE(uid_base) },
        { "inodes", LIMIT_UNIT_COUNT, 16384, 64, 1 << 24, PLACE(inodes) },
};

enum { N_SETTINGS = sizeof settings / sizeof settings[0] };

#undef PLACE
#define PLACE(field) offsetof(struct config_language, field), sizeof(((struct config_language *)0)->field)

static const struct config_setting language_settings[] = {
        { "warm", LIMIT_UNIT_COUNT, 0, 0, CHANNEL_MAX_SLOTS - 1, PLACE(warm) },
        { "warm_min", LIMIT_UNIT_COUNT, 0, 0, CHANNEL_MAX_SLOTS - 1, PLACE(warm_min) },
        { "warm_max", LIMIT_UNIT_COUNT, 0, 0, CHANNEL_MAX_SLOTS - 1, PLACE(warm_max) },
        { "running", LIMIT_UNIT_COUNT, 0, 0, CHANNEL_MAX_SLOTS - 1, PLACE(running) },
        { "generation_forks", LIMIT_UNIT_COUNT, 20000, 0, INT64_C(1) << 40, PLACE(generation_forks) },
        { "generation_time", LIMIT_UNIT_US, INT64_C(3600) * 1000000, 0, MAX_TIME, PLACE(generation_us) },
};

enum { N_LANGUAGE_SETTINGS = sizeof language_settings / sizeof language_settings[0] };

static const char *const levels[] = {
        [LOG_LEVEL_ERROR] = "error",
        [LOG_LEVEL_WARN] = "warn",
        [LOG_LEVEL_INFO] = "info",
        [LOG_LEVEL_DEBUG] = "debug",
};

/* ---------------------------------------------------------------- checks while libconfuse reads, for the line number
 */

static int check_level(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
        for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
                if (strcmp(value, levels[i]) == 0) {
                        *(const char **)result = value;
                        return 0;
                }
        cfg_error(cfg, "%s is error, warn, info or debug, not %s", opt->name, value);
        return -1;
}

static int check_setting(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
        return config_value_check(cfg, opt, value, result, settings, N_SETTINGS);
}

static int check_language_setting(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
        return config_value_check(cfg, opt, value, result, language_settings, N_LANGUAGE_SETTINGS);
}

static int check_limit(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
        for (size_t i = 0; i < LIMIT_COUNT; i++) {
                const struct limit_row *row = &limit_table[i];
                int64_t max = row->unit == LIMIT_UNIT_US      ? MAX_TIME
                              : row->unit == LIMIT_UNIT_BYTES ? MAX_MEMORY
                                                              : 1 << 20;
                struct config_setting as = { row->option, row->unit, row->standard, 1, max, 0, 0 };
                if (strcmp(opt->name, row->option) == 0)
                        return config_value_check(cfg, opt, value, result, &as, 1);
        }
        return -1;
}

/* libconfuse takes the end of the text for the end of every open section. So each text is given one more line, which is
 * refused in a section. */
static const char end_key[] = "end-of-configuration";

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

/* ---------------------------------------------------------------- from libconfuse's tree to the struct */

static int copy_list(cfg_t *cfg, const char *key, char ***list, size_t *n, struct err *e)
{
        unsigned size = cfg_size(cfg, key);
        *list = calloc((size_t)size + 1, sizeof **list);
        if (!*list)
                return err_set(e, ENOMEM, "%s", key);
        for (; *n < size; ++*n) {
                (*list)[*n] = strdup(cfg_getnstr(cfg, key, (unsigned)*n));
                if (!(*list)[*n])
                        return err_set(e, ENOMEM, "%s", key);
        }
        return 0;
}

static int take_limits(struct config_language *l, cfg_t *limits, cfg_t *ceilings, struct err *e)
{
        for (size_t i = 0; i < LIMIT_COUNT; i++) {
                const struct limit_row *row = &limit_table[i];
                bool own = limits && cfg_size(limits, row->option) > 0;

                l->standard[i] = row->standard;
                l->ceiling[i] = row->ceiling;
                if (own)
                        limit_parse(row->unit, cfg_getstr(limits, row->option), &l->standard[i]);
                if (ceilings && cfg_size(ceilings, row->option) > 0)
                        limit_parse(row->unit, cfg_getstr(ceilings, row->option), &l->ceiling[i]);
                if (l->standard[i] <= l->ceiling[i])
                        continue;
                if (own)
                        return err_say(
                                e, EINVAL,
                                "language %s: limits: %s is %lld, over its ceiling of %lld; raise it in ceilings",
                                l->name, row->option, (long long)l->standard[i], (long long)l->ceiling[i]);
                l->standard[i] = l->ceiling[i];
        }
        return 0;
}

static unsigned cores(void)
{
        cpu_set_t set;
        int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
        return n < 1 ? 1 : (unsigned)n;
}

/* The line in a sentence is the section's last: libconfuse keeps no others. */
static int take_warm(struct config_language *l, cfg_t *section, struct err *e)
{
        bool has_min = cfg_size(section, "warm_min") > 0, has_max = cfg_size(section, "warm_max") > 0;
        unsigned standard = 2 * cores() > 4 ? 2 * cores() : 4;

        if (l->warm > 0 && (has_min || has_max))
                return err_say(
                        e, EINVAL,
                        "line %d: language %s: warm = %u keeps exactly so many, and %s leaves it open; give one or "
                        "the other",
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

static int take_language(struct config_language *l, cfg_t *section, struct err *e)
{
        l->name = strdup(cfg_title(section));
        if (!l->name)
                return err_set(e, ENOMEM, "a language");
        size_t len = strlen(l->name);
        if (len == 0 || len > WIRE_MAX_LANGUAGE || strspn(l->name, "abcdefghijklmnopqrstuvwxyz0123456789_+-") != len)
                return err_say(e, EINVAL, "a language's name is 1 to %d of a-z, 0-9, _, + and -", WIRE_MAX_LANGUAGE);

        config_value_take(section, language_settings, N_LANGUAGE_SETTINGS, l);
        if (l->running == 0)
                l->running = 8 * cores() > 16 ? 8 * cores() : 16;
        int r = take_warm(l, section, e);
        if (r == 0)
                r = take_limits(l, cfg_getsec(section, "limits"), cfg_getsec(section, "ceilings"), e);
        if (r < 0)
                return r;

        /* The default list is Python's; to other languages its names would mean nothing. */
        bool is_default = (cfg_getopt(section, "preload")->flags & CFGF_RESET) != 0;
        if (is_default && strcmp(l->name, "python") != 0)
                cfg_free_value(cfg_getopt(section, "preload"));
        return copy_list(section, "preload", &l->preload, &l->n_preload, e);
}

static int take(struct config *c, cfg_t *root, struct err *e)
{
        config_value_take(root, settings, N_SETTINGS, c);
        for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
                if (strcmp(cfg_getstr(root, "log_level"), levels[i]) == 0)
                        c->log_level = (enum log_level)i;
        if (cfg_size(root, "listen") == 0)
                return err_say(e, EINVAL, "listen names no address");

        int r = copy_list(root, "listen", &c->listen, &c->n_listen, e);
        if (r < 0)
                return r;

        unsigned n = cfg_size(root, "language");
        if (n > CONFIG_MAX_LANGUAGES)
                return err_say(e, EINVAL, "%u languages; there is room for %d", n, CONFIG_MAX_LANGUAGES);
        c->languages = calloc(n, sizeof *c->languages);
        if (!c->languages)
                return err_set(e, ENOMEM, "the languages");
        for (; c->n_languages < n && r == 0; c->n_languages++)
                r = take_language(&c->languages[c->n_languages],
                                  cfg_getnsec(root, "language", (unsigned)c->n_languages), e);
        return r;
}

/* ---------------------------------------------------------------- reading */

static int parse(struct config *c, const char *text, struct config_sink *sink, struct err *e)
{
        char preload[] =
                "{ json, re, random, math, datetime, collections, itertools, functools, string, time, os, sys, "
                "typing, dataclasses, io, enum }";
        char listen[] = "{ 127.0.0.1:7070 }";
        cfg_opt_t limits[LIMIT_COUNT + 3], ceilings[LIMIT_COUNT + 3];
        for (size_t i = 0; i < LIMIT_COUNT; i++)
                limits[i] = (cfg_opt_t)CFG_STR_CB(limit_table[i].option, NULL, CFGF_NODEFAULT, check_limit);
        limits[LIMIT_COUNT] = config_sink_option(sink);
        limits[LIMIT_COUNT + 1] = (cfg_opt_t)CFG_STR_CB(end_key, NULL, CFGF_NODEFAULT, refuse_end);
        limits[LIMIT_COUNT + 2] = (cfg_opt_t)CFG_END();
        memcpy(ceilings, limits, sizeof limits);

        cfg_opt_t language[N_LANGUAGE_SETTINGS + 6];
        size_t n = config_value_options(language, language_settings, N_LANGUAGE_SETTINGS, check_language_setting);
        language[n++] = (cfg_opt_t)CFG_STR_LIST("preload", preload, CFGF_NONE);
        language[n++] = (cfg_opt_t)CFG_SEC("limits", limits, CFGF_NODEFAULT);
        language[n++] = (cfg_opt_t)CFG_SEC("ceilings", ceilings, CFGF_NODEFAULT);
        language[n++] = config_sink_option(sink);
        language[n++] = (cfg_opt_t)CFG_STR_CB(end_key, NULL, CFGF_NODEFAULT, refuse_end);
        language[n] = (cfg_opt_t)CFG_END();

        cfg_opt_t root[N_SETTINGS + 6];
        n = config_value_options(root, settings, N_SETTINGS, check_setting);
        root[n++] = (cfg_opt_t)CFG_STR_LIST("listen", listen, CFGF_NONE);
        root[n++] = (cfg_opt_t)CFG_STR_CB("log_level", "info", CFGF_NONE, check_level);
        root[n++] = (cfg_opt_t)CFG_SEC("language", language, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
        root[n++] = config_sink_option(sink);
        root[n++] = (cfg_opt_t)CFG_STR_CB(end_key, NULL, CFGF_NODEFAULT, accept_end);
        root[n] = (cfg_opt_t)CFG_END();

        cfg_t *cfg = cfg_init(root, CFGF_NONE);
        if (!cfg)
                return err_set(e, ENOMEM, "the configuration");
        cfg_set_error_function(cfg, config_sink_error);

        int r = 0;
        if (cfg_parse_buf(cfg, text) != CFG_SUCCESS)
                r = err_say(e, EINVAL, "%s",
                            sink->err.code ? sink->err.text
                                           : "not a configuration: hatcheryd --print-config prints one");
        if (r == 0 && cfg_size(cfg, "language") == 0 && cfg_parse_buf(cfg, "language python { }") != CFG_SUCCESS)
                r = err_set(e, ENOMEM, "the language python");
        if (r == 0)
                r = take(c, cfg, e);
        cfg_free(cfg);
        return r;
}

int config_load(struct config *c, const char *text, const char *name, struct err *e)
{
        struct config fresh = { 0 };
        struct config_sink sink = { .err = { 0 } };

        char *ended = NULL;
        if (asprintf(&ended, "%s\n%s = 1\n", text, end_key) < 0)
                return err_set(e, ENOMEM, "%s", name);
        int r = parse(&fresh, ended, &sink, e);
        free(ended);
        if (r < 0) {
                config_fini(&fresh);
                return err_wrap(e, "%s", name);
        }
        *c = fresh;
        return 0;
}

int config_read_fd(int fd, char **text, struct err *e)
{
        struct stat st;
        if (fstat(fd, &st) < 0)
                return err_set(e, errno, "a configuration");
        if (st.st_size > CONFIG_MAX_FILE)
                return err_say(e, EFBIG, "a configuration of more than %d bytes", CONFIG_MAX_FILE);

        size_t room = CONFIG_MAX_FILE, have = 0;
        OWN_MEM char *read_text = malloc(room + 1);
        if (!read_text)
                return err_set(e, ENOMEM, "a configuration");
        for (;;) {
                ssize_t n = S_ISREG(st.st_mode) ? pread(fd, read_text + have, room - have, (off_t)have)
                                                : read(fd, read_text + have, room - have);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_set(e, errno, "reading a configuration");
                if (n == 0)
                        break;
                have += (size_t)n;
                if (have == room)
                        return err_say(e, EFBIG, "a configuration of %d bytes or more", CONFIG_MAX_FILE);
        }
        if (memchr(read_text, '\0', have))
                return err_say(e, EINVAL, "a configuration holds a NUL byte");
        read_text[have] = '\0';
        *text = own_steal_ptr(&read_text);
        return 0;
}

int config_read_file(const char *path, char **text, struct err *e)
{
        OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return err_set(e, errno, "open %s", path);
        int r = config_read_fd(fd, text, e);
        return r < 0 ? err_wrap(e, "%s", path) : 0;
}

static void free_list(char **list, size_t n)
{
        for (size_t i = 0; i < n; i++)
                free(list[i]);
        free(list);
}

void config_fini(struct config *c)
{
        free_list(c->listen, c->n_listen);
        for (size_t i = 0; i < c->n_languages; i++) {
                free(c->languages[i].name);
                free_list(c->languages[i].preload, c->languages[i].n_preload);
        }
        free(c->languages);
        *c = (struct config){ 0 };
}
