/* The configuration as the supervisor reads it: see settings.h. */
#include "hatcheryd/settings.h"

#include "hatcheryd/cachedir.h"
#include "hatcheryd/identity.h"
#include "proto/base/own.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Writes the text to a memory file, and returns its descriptor. */
static int text_to_fd(const char *text, struct err *e)
{
        OWN_FD int fd = memfd_create("hatchery-config", MFD_CLOEXEC);
        size_t len = strlen(text);
        if (fd < 0 || write(fd, text, len) != (ssize_t)len)
                return err_set(e, errno, "keeping the configuration");
        return own_steal_fd(&fd);
}

static const char *name_of(const struct settings_source *source)
{
        return source->path ? source->path : "the built-in configuration";
}

static int read_main(const struct settings_source *source, char **text, struct err *e)
{
        if (source->path)
                return config_read_file(source->path, text, e);
        *text = strdup(config_builtin);
        return *text ? 0 : err_set(e, ENOMEM, "the configuration");
}

static void try_cache(const char *path, bool leaves_nothing, struct err *e)
{
        if (cachedir_try(path, leaves_nothing, e) < 0)
                err_wrap(e, "cache");
}

static int survey(const struct settings_source *source, const char *text, struct runtimes *runtimes,
                  struct config *main, struct err *e)
{
        int r = config_load_main(main, text, name_of(source), e);
        if (r < 0)
                return r;
        r = runtimes_find(runtimes, main, source->program_directory, e);
        if (r < 0) {
                config_fini(main);
                return r;
        }
        struct err cache = { 0 };
        if (geteuid() == 0) /* hatcheryd serves only as root */
                try_cache(main->cache, source->leaves_nothing, &cache);
        runtimes_check(runtimes, main, source->program_directory, name_of(source), &cache);
        return 0;
}

int settings_survey(const struct settings_source *source, struct runtimes *runtimes, struct config *main, struct err *e)
{
        OWN_MEM char *text = NULL;
        int r = read_main(source, &text, e);
        return r < 0 ? r : survey(source, text, runtimes, main, e);
}

/* ---------------------------------------------------------------- one text of all */

static void reason(char *text, size_t size, const char *name, const char *package)
{
        if (*package)
                snprintf(text, size, "%s is not installed on the server: apt-get install %s", name, package);
        else
                snprintf(text, size, "%s is not installed on the server", name);
}

static bool print_owned(FILE *to, char *text)
{
        if (text)
                fputs(text, to);
        free(text);
        return text != NULL;
}

static bool print_absent(FILE *to, const char *name, const char *aliases, const char *package)
{
        char why[ERR_TEXT_SIZE], called[WIRE_MAX_LANGUAGE + 1], others[96];

        snprintf(called, sizeof called, "%s", name);
        snprintf(others, sizeof others, "%s", aliases);
        reason(why, sizeof why, name, package);
        const struct config_absent absent = { .name = called, .aliases = others, .reason = why };
        return print_owned(to, config_absent_text(&absent));
}

static bool print_broken(FILE *to, const struct runtime *row)
{
        char why[ERR_TEXT_SIZE + 64];

        snprintf(why, sizeof why, "%s can't be served here: %s", row->name, row->fault);
        const struct config_absent absent = {
                .name = row->data.name, .aliases = row->data.aliases, .reason = why, .broken = true
        };
        return print_owned(to, config_absent_text(&absent));
}

/* A broken plug-in is not printed as broken, because its zygote reports the fault at each start. */
static bool print_runtime(FILE *to, const struct runtime *row)
{
        if (row->state == RUNTIME_ABSENT)
                return print_absent(to, row->name, row->is_data ? row->data.aliases : "", row->package);
        if (!row->is_data)
                return true;
        if (row->state == RUNTIME_BROKEN)
                return print_broken(to, row);
        return row->in_main || print_owned(to, config_runtime_text(&row->data));
}

/* If the operator names no language, all installed languages are served. One sandbox of each is kept warm, which saves
 * the cold start; the demand adds more. A compiled language keeps no warm sandbox, because two milliseconds do not
 * matter to a request that waits for a compiler. Python, the most used language, has the same numbers as in a
 * configuration that names it. No language is required, because the operator has asked for none. */
static void print_default(FILE *to, const struct runtime *row)
{
        bool is_compiled = row->is_data && row->data.kind == KIND_COMPILED;

        if (row->state == RUNTIME_ABSENT)
                return;
        if (strcmp(row->name, "python") == 0)
                fprintf(to, "language '%s' { required = no }\n", row->name);
        else
                fprintf(to, "language '%s' { required = no warm_min = %d }\n", row->name, is_compiled ? 0 : 1);
}

/* Prints languages whose runtime is unknown. */
static bool print_unknown(FILE *to, const struct runtimes *runtimes, const struct config *main)
{
        bool good = true;
        for (size_t i = 0; i < main->n_languages && good; i++) {
                const char *name = main->languages[i].runtime;
                bool said = runtimes_named(runtimes, name) != NULL;
                for (size_t k = 0; k < i && !said; k++)
                        said = strcmp(main->languages[k].runtime, name) == 0;
                good = said || print_absent(to, name, "", "");
        }
        return good;
}

static bool is_wanted(const struct config *main, const struct runtime *row)
{
        for (size_t i = 0; i < main->n_languages; i++)
                if (strcmp(main->languages[i].runtime, row->name) == 0)
                        return true;
        return main->n_languages == 0;
}

/* The main text comes first, so that line numbers in errors are those of the operator's file. */
static int merge(char **merged, const char *text, const struct runtimes *runtimes, const struct config *main,
                 struct err *e)
{
        size_t size;
        FILE *to = open_memstream(merged, &size);
        bool good = to != NULL;

        if (!to)
                return err_set(e, ENOMEM, "the configuration");
        fprintf(to, "%s\n", text);
        for (size_t i = 0; i < runtimes->n && good; i++)
                good = print_runtime(to, &runtimes->at[i]);
        good = good && print_unknown(to, runtimes, main);
        for (size_t i = 0; i < runtimes->n && good && main->n_languages == 0; i++)
                print_default(to, &runtimes->at[i]);
        good = good && !ferror(to);
        if (fclose(to) == 0 && good)
                return size < CONFIG_MAX_TEXT ? 0
                                              : err_say(e, EFBIG, "the configuration and its languages are too large");
        return err_set(e, ENOMEM, "the configuration");
}

/* ---------------------------------------------------------------- what is not there */

static void say_broken(const struct log *log, const struct runtimes *runtimes, const struct config *main)
{
        for (size_t i = 0; i < runtimes->n; i++) {
                const struct runtime *row = &runtimes->at[i];
                if (row->is_data && row->state == RUNTIME_BROKEN && is_wanted(main, row))
                        log_error(log, "the language %s can't be served: %s", row->name, row->why);
        }
}

static void say_absent(const struct log *log, const struct runtimes *runtimes, const struct config *main)
{
        char list[512] = "";
        size_t n = 0;

        say_broken(log, runtimes, main);
        for (size_t i = 0; i < main->n_languages; i++) {
                const struct config_language *l = &main->languages[i];
                const struct runtime *row = runtimes_named(runtimes, l->runtime);
                if (!row)
                        log_warn(log,
                                 "the language %s is absent: there is neither a hatchery-lang-%s.so nor a file %s.conf",
                                 l->name, l->runtime, l->runtime);
                else if (row->state == RUNTIME_ABSENT)
                        log_warn(log, "the language %s is absent: %s%s%s", l->name, row->why,
                                 *row->package ? "; apt-get install " : "", row->package);
        }
        if (main->n_languages > 0)
                return;
        for (size_t i = 0; i < runtimes->n; i++)
                if (runtimes->at[i].state == RUNTIME_ABSENT && n + sizeof runtimes->at[i].name + 2 < sizeof list)
                        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", runtimes->at[i].name);
        if (n > 0)
                log_info(log, "not installed: %s; hatcheryd --check-host names the packages to install", list);
}

/* Finds the identities of the compilers, for served languages alone: looking at all files that a compiler reads takes a
 * while. */
static int find_identities(const struct config *config, FILE *to, struct err *e)
{
        struct identity_seen seen = { .n = 0 };
        char text[IDENTITY_SIZE];

        for (size_t i = 0; i < config->n_runtimes; i++) {
                struct config_runtime *r = &config->runtimes[i];
                bool is_served = false;
                for (size_t k = 0; k < config->n_languages && !is_served; k++)
                        is_served = config->languages[k].data == r;
                if (!is_served || !identity_is_of_use(r))
                        continue;
                identity_find(r, &seen, text);
                r->identity = strdup(text);
                if (!r->identity || !print_owned(to, config_identity_text(r)))
                        return err_set(e, ENOMEM, "the identity of a compiler");
        }
        return 0;
}

int settings_identify(const char *text, const char *name, struct config *config, int *fd, struct err *e)
{
        OWN_MEM char *whole = NULL;
        size_t size;
        struct config fresh = { 0 };

        int r = config_load(&fresh, text, name, e);
        if (r < 0)
                return r;
        FILE *to = open_memstream(&whole, &size);
        if (to) {
                fprintf(to, "%s\n", text);
                r = find_identities(&fresh, to, e);
                if (fclose(to) != 0 && r == 0)
                        r = err_set(e, ENOMEM, "the configuration");
        } else {
                r = err_set(e, ENOMEM, "the configuration");
        }
        if (r == 0)
                r = *fd = text_to_fd(whole, e);
        if (r < 0) {
                config_fini(&fresh);
                return r;
        }
        *config = fresh;
        return 0;
}

int settings_read(const struct settings_source *source, struct config *config, char **merged, int *fd, struct err *e)
{
        OWN_MEM char *text = NULL;
        OWN_MEM char *whole = NULL;
        struct runtimes runtimes = { 0 };
        struct config main = { 0 };

        int r = read_main(source, &text, e);
        if (r == 0)
                r = survey(source, text, &runtimes, &main, e);
        if (r < 0)
                return r;
        r = merge(&whole, text, &runtimes, &main, e);
        if (r == 0)
                r = settings_identify(whole, name_of(source), config, fd, e);
        if (r == 0 && source->log)
                say_absent(source->log, &runtimes, &main);
        runtimes_fini(&runtimes);
        config_fini(&main);
        if (r == 0)
                *merged = own_steal_ptr(&whole);
        return r;
}
