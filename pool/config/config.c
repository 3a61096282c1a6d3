/* Reading the configuration: see config.h. libconfuse knows the grammar (sections, lists, quotes, comments, lines); the
 * tables below know every key, its bounds and its default, and all values go through one parser with units. */
#include "pool/config/config.h"

#include "pool/config/config_http.h"
#include "pool/config/config_language.h"
#include "pool/config/config_limits.h"
#include "pool/config/config_runtime.h"
#include "pool/config/config_value.h"
#include "proto/base/own.h"
#include "proto/wire/wire.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACE(field) offsetof(struct config, field), sizeof(((struct config *)0)->field)

static const struct config_setting settings[] = {
        { "max_request_bytes", LIMIT_UNIT_BYTES, WIRE_MAX_REQUEST, 1024, 1 << 30, PLACE(max_request_bytes) },
        { "max_answer_bytes", LIMIT_UNIT_BYTES, WIRE_MAX_ANSWER, 1024, 1 << 30, PLACE(max_answer_bytes) },
        { "max_connections", LIMIT_UNIT_COUNT, 10240, 1, 1 << 20, PLACE(max_connections) },
        { "max_in_flight", LIMIT_UNIT_COUNT, 256, 1, 4096, PLACE(max_in_flight) },
        { "caller_in_flight", LIMIT_UNIT_COUNT, 4096, 1, 65536, PLACE(caller_in_flight) },
        { "max_queue", LIMIT_UNIT_COUNT, 4096, 1, 1 << 20, PLACE(max_queue) },
        { "max_queue_bytes", LIMIT_UNIT_BYTES, 256 << 20, 1 << 20, CONFIG_MAX_MEMORY, PLACE(max_queue_bytes) },
        { "max_memory", LIMIT_UNIT_BYTES, 1 << 30, 16 << 20, CONFIG_MAX_MEMORY, PLACE(max_memory) },
        { "warm_memory", LIMIT_UNIT_BYTES, 512 << 20, 1 << 20, CONFIG_MAX_MEMORY, PLACE(warm_memory) },
        { "warm_half_life", LIMIT_UNIT_US, 120000000, 1000, CONFIG_MAX_TIME, PLACE(warm_half_life_us) },
        { "client_share", LIMIT_UNIT_COUNT, 75, 1, 100, PLACE(client_share) },
        { "client_running", LIMIT_UNIT_COUNT, 0, 0, 1 << 20, PLACE(client_running) },
        { "frame_timeout", LIMIT_UNIT_US, 10000000, 1000, CONFIG_MAX_TIME, PLACE(frame_timeout_us) },
        { "write_timeout", LIMIT_UNIT_US, 30000000, 1000, CONFIG_MAX_TIME, PLACE(write_timeout_us) },
        { "max_unsent_bytes", LIMIT_UNIT_BYTES, 64 << 20, 1024, CONFIG_MAX_MEMORY, PLACE(max_unsent_bytes) },
        { "drain", LIMIT_UNIT_US, 30000000, 0, CONFIG_MAX_TIME, PLACE(drain_us) },
        { "drain_notice", LIMIT_UNIT_US, 0, 0, CONFIG_MAX_TIME, PLACE(drain_notice_us) },
        { "gateway_workers", LIMIT_UNIT_COUNT, 0, 0, CONFIG_MAX_WORKERS, PLACE(gateway_workers) },
        { "gateway_memory", LIMIT_UNIT_BYTES, 256 << 20, 1 << 20, CONFIG_MAX_MEMORY, PLACE(gateway_memory) },
        { "collect_max_files", LIMIT_UNIT_COUNT, 256, 1, 65536, PLACE(collect_max_files) },
        { "collect_max_bytes", LIMIT_UNIT_BYTES, 16 << 20, 1, 1 << 30, PLACE(collect_max_bytes) },
        { "collect_timeout", LIMIT_UNIT_US, 2000000, 1000, CONFIG_MAX_TIME, PLACE(collect_us) },
        { "uid_base", LIMIT_UNIT_COUNT, 1879048192, 1000, CONFIG_MAX_UID_BASE, PLACE(uid_base) },
        { "inodes", LIMIT_UNIT_COUNT, 16384, 64, 1 << 24, PLACE(inodes) },
        { "disk_read", LIMIT_UNIT_BYTES, 0, 0, CONFIG_MAX_MEMORY, PLACE(disk_read) },
        { "cache_size", LIMIT_UNIT_BYTES, 1 << 30, 1 << 20, CONFIG_MAX_MEMORY, PLACE(cache_bytes) },
};

enum { N_SETTINGS = sizeof settings / sizeof settings[0] };

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

/* Sandboxes see everything below the directory. */
static int check_directory(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
        *(const char **)result = value;
        return config_word_check(cfg, opt->name, value, CONFIG_WORD_SHOWN);
}

static int check_cache(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
        struct config_sink *sink = config_sink_find(cfg);
        if (sink)
                sink->cache_line = cfg->line;
        return check_directory(cfg, opt, value, result);
}

static int check_directories(cfg_t *cfg, cfg_opt_t *opt)
{
        for (unsigned i = 0; i < cfg_opt_size(opt); i++)
                if (config_word_check(cfg, opt->name, cfg_opt_getnstr(opt, i), CONFIG_WORD_PATH) < 0)
                        return -1;
        return 0;
}

/* ---------------------------------------------------------------- from libconfuse's tree to the struct */

static int take_runtimes(struct config *c, cfg_t *root, struct err *e)
{
        unsigned n = cfg_size(root, "runtime");
        int r = 0;

        if (n > CONFIG_MAX_RUNTIMES)
                return err_say(e, EINVAL, "%u runtimes; there is room for %d", n, CONFIG_MAX_RUNTIMES);
        c->runtimes = calloc(n ? n : 1, sizeof *c->runtimes);
        if (!c->runtimes)
                return err_set(e, ENOMEM, "the runtimes");
        for (; c->n_runtimes < n && r == 0; c->n_runtimes++)
                r = config_runtime_take(&c->runtimes[c->n_runtimes],
                                        cfg_getnsec(root, "runtime", (unsigned)c->n_runtimes), e);
        return r;
}

static int add_absent(struct config *c, const char *name, const char *aliases, const char *reason, bool broken,
                      struct err *e)
{
        struct config_absent *a = &c->absent[c->n_absent++];

        a->name = strdup(name);
        a->aliases = strdup(aliases);
        a->reason = strdup(reason);
        a->broken = broken;
        return a->name && a->aliases && a->reason ? 0 : err_set(e, ENOMEM, "the list of absent languages");
}

static int take_absent(struct config *c, cfg_t *root, struct err *e)
{
        unsigned n = cfg_size(root, "absent");
        int r = 0;

        c->absent = calloc(n + cfg_size(root, "language") + 1, sizeof *c->absent);
        if (!c->absent)
                return err_set(e, ENOMEM, "the list of absent languages");
        for (unsigned i = 0; i < n && r == 0; i++) {
                cfg_t *section = cfg_getnsec(root, "absent", i);
                const char *reason = cfg_getstr(section, "reason");
                OWN_MEM char *aliases = NULL;
                r = config_list_join(section, "aliases", &aliases, e);
                if (r == 0)
                        r = add_absent(c, cfg_title(section), aliases, reason ? reason : "",
                                       cfg_getbool(section, "broken") != cfg_false, e);
        }
        return r;
}

/* Takes the identities of runtimes. If a runtime is missing here, a later definition of the operator has replaced
 * it. */
static int take_identities(struct config *c, cfg_t *root, struct err *e)
{
        int r = 0;
        for (unsigned i = 0; i < cfg_size(root, "identity") && r == 0; i++) {
                cfg_t *section = cfg_getnsec(root, "identity", i);
                for (size_t k = 0; k < c->n_runtimes && r == 0; k++)
                        if (strcmp(c->runtimes[k].name, cfg_title(section)) == 0)
                                r = config_string_take(section, "is", &c->runtimes[k].identity, e);
        }
        return r;
}

static struct config_absent *find_absent(const struct config *c, const char *name)
{
        for (size_t i = 0; i < c->n_absent; i++)
                if (strcmp(c->absent[i].name, name) == 0)
                        return &c->absent[i];
        return NULL;
}

/* A language whose runtime is absent is absent, too. */
static int take_languages(struct config *c, cfg_t *root, bool lenient, struct err *e)
{
        unsigned n = cfg_size(root, "language");
        int r = 0;

        if (n > CONFIG_MAX_LANGUAGES)
                return err_say(e, EINVAL, "%u languages; there is room for %d", n, CONFIG_MAX_LANGUAGES);
        c->languages = calloc(n ? n : 1, sizeof *c->languages);
        if (!c->languages)
                return err_set(e, ENOMEM, "the languages");
        for (unsigned i = 0; i < n && r == 0; i++) {
                struct config_language *l = &c->languages[c->n_languages++];
                r = config_language_take(l, c, cfg_getnsec(root, "language", i), lenient, e);
                struct config_absent *a = r < 0 ? NULL : find_absent(c, l->runtime);
                if (!a)
                        continue;
                c->n_refused += a->broken;
                if (strcmp(l->name, l->runtime) != 0) {
                        r = add_absent(c, l->name, "", a->reason, a->broken, e);
                        a = &c->absent[c->n_absent - 1];
                }
                a->configured = true;
                a->required = l->required;
                config_language_fini(l);
                c->n_languages--;
        }
        return r;
}

static int take(struct config *c, cfg_t *root, bool lenient, struct err *e)
{
        config_value_take(root, settings, N_SETTINGS, c);
        for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
                if (strcmp(cfg_getstr(root, "log_level"), levels[i]) == 0)
                        c->log_level = (enum log_level)i;
        if (cfg_size(root, "listen") == 0)
                return err_say(e, EINVAL, "listen names no address");

        int r = config_list_take(root, "listen", &c->listen, &c->n_listen, e);
        if (r == 0)
                r = config_list_take(root, "language_files", &c->language_files, NULL, e);
        if (r == 0)
                r = config_string_take(root, "packages", &c->packages, e);
        if (r == 0)
                r = config_string_take(root, "cache", &c->cache, e);
        if (r == 0)
                r = config_http_take(c, root, e);
        if (r == 0)
                r = take_runtimes(c, root, e);
        if (r == 0)
                r = take_identities(c, root, e);
        if (r == 0)
                r = take_absent(c, root, e);
        return r < 0 ? r : take_languages(c, root, lenient, e);
}

/* ---------------------------------------------------------------- reading */

/* The contents that a text may have. */
enum text { TEXT_MAIN, TEXT_RUNTIME, TEXT_MERGED };

enum { ROOT_OPTIONS = N_SETTINGS + 13 };

struct grammar {
        char listen[32];
        struct config_http_grammar http;
        struct config_sink sink;
        cfg_opt_t limits[CONFIG_LIMITS_OPTIONS];
        cfg_opt_t language[CONFIG_LANGUAGE_OPTIONS];
        cfg_opt_t runtime[CONFIG_RUNTIME_OPTIONS];
        cfg_opt_t absent[6];
        cfg_opt_t identity[4];
        cfg_opt_t root[ROOT_OPTIONS];
};

static size_t main_options(struct grammar *g)
{
        size_t n = config_value_options(g->root, settings, N_SETTINGS, check_setting);

        snprintf(g->listen, sizeof g->listen, "{ 127.0.0.1:7070 }");
        config_language_options(g->language, g->limits, &g->sink);
        g->root[n++] = (cfg_opt_t)CFG_STR_LIST("listen", g->listen, CFGF_NONE);
        g->root[n++] = (cfg_opt_t)CFG_STR_CB("log_level", "info", CFGF_NONE, check_level);
        g->root[n] = (cfg_opt_t)CFG_STR_LIST("language_files", NULL, CFGF_NODEFAULT);
        g->root[n++].validcb = check_directories;
        g->root[n++] = (cfg_opt_t)CFG_STR_CB("packages", CONFIG_PACKAGES, CFGF_NONE, check_directory);
        g->root[n++] = (cfg_opt_t)CFG_STR_CB("cache", CONFIG_CACHE, CFGF_NONE, check_cache);
        g->root[n++] = config_http_option(&g->http, &g->sink);
        g->root[n++] = (cfg_opt_t)CFG_SEC("language", g->language, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
        return n;
}

static cfg_opt_t absent_option(struct grammar *g)
{
        g->absent[0] = (cfg_opt_t)CFG_STR_LIST("aliases", NULL, CFGF_NODEFAULT);
        g->absent[1] = (cfg_opt_t)CFG_STR("reason", NULL, CFGF_NODEFAULT);
        g->absent[2] = (cfg_opt_t)CFG_BOOL("broken", cfg_false, CFGF_NONE);
        g->absent[3] = config_sink_option(&g->sink);
        g->absent[4] = config_end_option(true);
        g->absent[5] = (cfg_opt_t)CFG_END();
        return (cfg_opt_t)CFG_SEC("absent", g->absent, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
}

static cfg_opt_t identity_option(struct grammar *g)
{
        g->identity[0] = (cfg_opt_t)CFG_STR("is", NULL, CFGF_NODEFAULT);
        g->identity[1] = config_sink_option(&g->sink);
        g->identity[2] = config_end_option(true);
        g->identity[3] = (cfg_opt_t)CFG_END();
        return (cfg_opt_t)CFG_SEC("identity", g->identity, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
}

/* Parses a text to a tree, which the caller releases by cfg_free. *cache_line becomes the line that names the cache; 0:
 * no line does. */
static int parse(cfg_t **tree, enum text kind, const char *text, int *cache_line, struct err *e)
{
        struct grammar g = { .sink = { .err = { 0 } } };
        OWN_MEM char *ended = NULL;
        if (asprintf(&ended, "%s" CONFIG_END_LINE, text) < 0) {
                ended = NULL;
                return err_set(e, ENOMEM, "the configuration");
        }

        config_limits_options(g.limits, &g.sink);
        config_runtime_options(g.runtime, g.limits, &g.sink);
        size_t n = kind == TEXT_RUNTIME ? 0 : main_options(&g);
        if (kind == TEXT_MERGED) {
                g.root[n++] = absent_option(&g);
                g.root[n++] = identity_option(&g);
        }
        g.root[n++] = (cfg_opt_t)CFG_SEC("runtime", g.runtime, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
        g.root[n++] = config_sink_option(&g.sink);
        g.root[n++] = config_end_option(false);
        g.root[n] = (cfg_opt_t)CFG_END();

        cfg_t *cfg = cfg_init(g.root, CFGF_NONE);
        if (!cfg)
                return err_set(e, ENOMEM, "the configuration");
        cfg_set_error_function(cfg, config_sink_error);
        if (cfg_parse_buf(cfg, ended) != CFG_SUCCESS) {
                cfg_free(cfg);
                return err_say(e, EINVAL, "%s",
                               g.sink.err.code ? g.sink.err.text
                                               : "not a configuration: hatcheryd --print-config prints one");
        }
        if (cfg_size(cfg, CONFIG_END_KEY) == 0) {
                cfg_free(cfg);
                return err_say(e, EINVAL, "the text ends within a comment");
        }
        *tree = cfg;
        *cache_line = g.sink.cache_line;
        return 0;
}

static int load(struct config *c, enum text kind, const char *text, const char *name, struct err *e)
{
        struct config fresh = { 0 };
        cfg_t *tree = NULL;

        int r = parse(&tree, kind, text, &fresh.cache_line, e);
        if (r < 0)
                return err_wrap(e, "%s", name);
        r = take(&fresh, tree, kind == TEXT_MAIN, e);
        cfg_free(tree);
        if (r < 0) {
                config_fini(&fresh);
                return err_wrap(e, "%s", name);
        }
        *c = fresh;
        return 0;
}

int config_load(struct config *c, const char *text, const char *name, struct err *e)
{
        return load(c, TEXT_MERGED, text, name, e);
}

int config_load_main(struct config *c, const char *text, const char *name, struct err *e)
{
        return load(c, TEXT_MAIN, text, name, e);
}

static int take_only_runtime(struct config_runtime *r, cfg_t *tree, const char *stem, struct err *e)
{
        unsigned n = cfg_size(tree, "runtime");
        if (n == 0)
                return err_say(e, EINVAL, "line 1: there is no section runtime %s", stem);
        if (n > 1)
                return err_say(e, EINVAL, "line %d: there are %u runtime sections; the file of a language has one",
                               cfg_getnsec(tree, "runtime", 1)->line, n);
        cfg_t *section = cfg_getsec(tree, "runtime");
        if (strcmp(cfg_title(section), stem) != 0)
                return err_say(e, EINVAL, "line %d: the runtime is called %s, and its file is not: %s.conf",
                               section->line, cfg_title(section), stem);
        return config_runtime_take(r, section, e);
}

int config_load_runtime(struct config_runtime *r, const char *text, const char *name, const char *stem, struct err *e)
{
        struct config_runtime fresh = { 0 };
        cfg_t *tree = NULL;
        int cache_line = 0;

        int n = parse(&tree, TEXT_RUNTIME, text, &cache_line, e);
        if (n < 0)
                return err_wrap(e, "%s", name);
        n = take_only_runtime(&fresh, tree, stem, e);
        cfg_free(tree);
        if (n < 0) {
                config_runtime_fini(&fresh);
                return err_wrap(e, "%s", name);
        }
        *r = fresh;
        return 0;
}

int config_read_fd(int fd, char **text, struct err *e)
{
        struct stat st;
        if (fstat(fd, &st) < 0)
                return err_set(e, errno, "a configuration");
        if (st.st_size > CONFIG_MAX_TEXT)
                return err_say(e, EFBIG, "a configuration of more than %d bytes", CONFIG_MAX_TEXT);

        size_t room = CONFIG_MAX_TEXT, have = 0;
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
                        return err_say(e, EFBIG, "a configuration of %d bytes or more", CONFIG_MAX_TEXT);
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

void config_fini(struct config *c)
{
        config_list_free(c->listen);
        config_list_free(c->language_files);
        config_http_fini(c);
        free(c->packages);
        free(c->cache);
        for (size_t i = 0; i < c->n_runtimes; i++)
                config_runtime_fini(&c->runtimes[i]);
        for (size_t i = 0; i < c->n_languages; i++)
                config_language_fini(&c->languages[i]);
        for (size_t i = 0; i < c->n_absent; i++) {
                free(c->absent[i].name);
                free(c->absent[i].aliases);
                free(c->absent[i].reason);
        }
        free(c->runtimes);
        free(c->languages);
        free(c->absent);
        *c = (struct config){ 0 };
}
