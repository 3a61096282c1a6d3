/* Runtimes of this host: see runtimes.h. If several sources define one name, the first of these counts: the operator's
 * main file; the directories it names, the last one first; a plug-in that can be loaded; Hatchery's own files. */
#include "hatcheryd/runtimes.h"

#include "hatcheryd/home.h"
#include "hatcheryd/usable.h"
#include "pool/config/plugins.h"
#include "proto/base/own.h"
#include "zygote/zygote.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_FILES "/etc/hatchery/lang"

enum { PROBE_SECONDS = 60 }; /* a guard: on a loaded machine a virtual machine takes long to say its version */

static struct runtime *find(const struct runtimes *r, const char *name)
{
        for (size_t i = 0; i < r->n; i++)
                if (strcmp(r->at[i].name, name) == 0)
                        return &r->at[i];
        return NULL;
}

const struct runtime *runtimes_named(const struct runtimes *r, const char *name)
{
        return find(r, name);
}

/* The row of that name: the present one, or a new empty one. */
static struct runtime *find_or_add(struct runtimes *r, const char *name, struct err *e)
{
        struct runtime *row = find(r, name);
        if (row)
                return row;
        if (r->n == CONFIG_MAX_RUNTIMES) {
                err_say(e, EINVAL, "there are more than %d runtimes", CONFIG_MAX_RUNTIMES);
                return NULL;
        }
        row = &r->at[r->n++];
        *row = (struct runtime){ .package = "" };
        snprintf(row->name, sizeof row->name, "%s", name);
        return row;
}

/* ---------------------------------------------------------------- plug-ins */

/* In a process of its own: an interpreter's library may do anything when it is loaded, and must not do it in the
 * supervisor. */
static void probe(const char *name, const char *plugin, int answer)
{
        struct err e = { 0 };
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        for (int fd = 0; fd < 3; fd++)
                dup2(null, fd);
        alarm(PROBE_SECONDS);
        int r = zygote_check_plugin(name, plugin, &e);
        _exit(r < 0 && write(answer, &e, sizeof e) == sizeof e ? 1 : r < 0 ? 2 : 0);
}

static void check_plugin(struct runtime *row)
{
        struct err e = { .code = EIO, .text = "its library could not be tried" };
        int answer[2], status = 0;

        if (pipe2(answer, O_CLOEXEC) < 0)
                return;
        pid_t pid = fork();
        if (pid == 0)
                probe(row->name, row->plugin, answer[1]);
        own_close(&answer[1]);
        bool told = pid > 0 && read(answer[0], &e, sizeof e) == sizeof e;
        own_close(&answer[0]);
        bool reaped = pid > 0 && waitpid(pid, &status, 0) == pid;
        if (reaped && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
                row->state = RUNTIME_PRESENT;
                snprintf(row->why, sizeof row->why, "%.*s", (int)sizeof row->why - 1, row->plugin);
                return;
        }
        row->state = told && e.code == ENOENT ? RUNTIME_ABSENT : RUNTIME_BROKEN;
        if (reaped && WIFSIGNALED(status))
                snprintf(row->why, sizeof row->why, "loading it ends by signal %d", WTERMSIG(status));
        else
                snprintf(row->why, sizeof row->why, "%s", e.text);
}

/* The library may be installed: then installing it would not help. */
static void set_not_built(struct runtime *row, const char *file, const char *build)
{
        row->plugin[0] = '\0';
        row->package = "";
        row->state = RUNTIME_ABSENT;
        snprintf(row->why, sizeof row->why, "%s was not built%s%s", file, *build ? ": that takes " : "", build);
}

static int add_plugin(struct runtimes *r, const struct config_plugin *known, const char *directory, struct err *e)
{
        char file[80];
        struct err missing = { 0 };
        struct runtime *row = find_or_add(r, known->name, e);

        if (!row)
                return -EINVAL;
        if (*known->package)
                row->package = known->package;
        if (row->plugin[0])
                return 0;
        snprintf(file, sizeof file, "hatchery-lang-%s.so", known->name);
        if (home_find(directory, file, row->plugin, sizeof row->plugin, &missing) < 0) {
                set_not_built(row, file, known->build);
                return 0;
        }
        check_plugin(row);
        return 0;
}

/* "hatchery-lang-NAME.so" */
static bool is_plugin(const char *file, char name[32])
{
        int end = 0;
        return sscanf(file, "hatchery-lang-%31[a-z0-9_+-].so%n", name, &end) == 1 && end > 0 && file[end] == '\0';
}

static int add_plugins(struct runtimes *r, const char *program_directory, struct err *e)
{
        int n = 0;

        /* A plug-in that was not built has a row too. It tells a user who asks for the language which package to
         * install. */
        for (const struct config_plugin *known = config_plugins; known->name && n == 0; known++)
                n = add_plugin(r, known, program_directory, e);
        for (size_t i = 0; home_place(i); i++) {
                char path[2 * HOME_PATH_SIZE], name[32];
                snprintf(path, sizeof path, "%s%s", program_directory, home_place(i));
                DIR *dir = opendir(path);
                for (struct dirent *d; dir && n == 0 && (d = readdir(dir));)
                        if (is_plugin(d->d_name, name))
                                n = add_plugin(r, &(struct config_plugin){ .name = name, .package = "", .build = "" },
                                               program_directory, e);
                if (dir)
                        closedir(dir);
        }
        return n;
}

/* ---------------------------------------------------------------- files */

/* Takes *data over. */
static int add_data(struct runtimes *r, struct config_runtime *data, const char *path, bool in_main, struct err *e)
{
        struct runtime *row = find_or_add(r, data->name, e);
        if (!row) {
                config_runtime_fini(data);
                return -EINVAL;
        }
        if (row->is_data)
                config_runtime_fini(&row->data);
        row->is_data = true;
        row->in_main = in_main;
        row->data = *data;
        *data = (struct config_runtime){ 0 };
        row->package = row->data.package;
        row->plugin[0] = '\0';
        row->state = RUNTIME_PRESENT;
        snprintf(row->why, sizeof row->why, "%.*s", (int)sizeof row->why - 1, path);
        for (char **need = row->data.needs; need && *need; need++)
                if (access(*need, F_OK) < 0) {
                        row->state = RUNTIME_ABSENT;
                        snprintf(row->why, sizeof row->why, "there is no %.200s", *need);
                        break;
                }
        return 0;
}

static int add_file(struct runtimes *r, const char *directory, const char *file, bool is_own, struct err *e)
{
        char path[HOME_PATH_SIZE], stem[NAME_MAX + 1];
        OWN_MEM char *text = NULL;
        struct config_runtime data = { 0 };
        struct stat st;

        snprintf(path, sizeof path, "%s/%s", directory, file);
        snprintf(stem, sizeof stem, "%.*s", (int)(strlen(file) - strlen(".conf")), file);
        if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) /* opening a pipe would wait for a writer */
                return err_say(e, EINVAL, "%s is no plain file", path);
        int n = config_read_file(path, &text, e);
        if (n == 0)
                n = config_load_runtime(&data, text, path, stem, e);
        if (n < 0)
                return n;
        const struct runtime *row = find(r, data.name);
        if (is_own && row && row->plugin[0] && row->state == RUNTIME_PRESENT) {
                config_runtime_fini(&data);
                return 0;
        }
        return add_data(r, &data, path, false, e);
}

static int is_language_file(const struct dirent *d)
{
        size_t len = strlen(d->d_name);
        return d->d_name[0] != '.' && len > 5 && strcmp(d->d_name + len - 5, ".conf") == 0;
}

static int add_directory(struct runtimes *r, const char *directory, bool is_own, struct err *e)
{
        struct dirent **files = NULL;
        int n = scandir(directory, &files, is_language_file, alphasort), result = 0;
        if (n < 0)
                return err_set(e, errno, "language_files: open %s", directory);
        for (int i = 0; i < n; i++) {
                if (result == 0)
                        result = add_file(r, directory, files[i]->d_name, is_own, e);
                free(files[i]);
        }
        free(files);
        return result;
}

static int add_files(struct runtimes *r, const struct config *main, const char *program_directory, struct err *e)
{
        char own[HOME_PATH_SIZE];
        int n = 0;

        if (home_languages(program_directory, own, NULL) == 0)
                n = add_directory(r, own, true, e);
        if (n == 0 && !main->language_files && access(DEFAULT_FILES, F_OK) == 0)
                n = add_directory(r, DEFAULT_FILES, false, e);
        for (char **dir = main->language_files; dir && *dir && n == 0; dir++)
                n = add_directory(r, *dir, false, e);
        return n;
}

static int by_name(const void *a, const void *b)
{
        return strcmp(((const struct runtime *)a)->name, ((const struct runtime *)b)->name);
}

int runtimes_find(struct runtimes *r, struct config *main, const char *program_directory, struct err *e)
{
        *r = (struct runtimes){ .at = calloc(CONFIG_MAX_RUNTIMES, sizeof *r->at) };
        if (!r->at)
                return err_set(e, ENOMEM, "the runtimes");
        int n = add_plugins(r, program_directory, e);
        if (n == 0)
                n = add_files(r, main, program_directory, e);
        for (size_t i = 0; i < main->n_runtimes && n == 0; i++)
                n = add_data(r, &main->runtimes[i], "in the configuration", true, e);
        if (n < 0) {
                runtimes_fini(r);
                return n;
        }
        qsort(r->at, r->n, sizeof *r->at, by_name);
        return 0;
}

static void set_broken(struct runtime *row, const char *file, int line, const struct err *fault)
{
        char where[ERR_TEXT_SIZE];
        snprintf(where, sizeof where, "%s", file); /* file may point into row->why, which is written below */
        struct err e = *fault;
        row->state = RUNTIME_BROKEN;
        snprintf(row->fault, sizeof row->fault, "%s", fault->text);
        if (line > 0)
                err_wrap(&e, "%s: line %d", where, line);
        else
                err_wrap(&e, "%s", where);
        snprintf(row->why, sizeof row->why, "%s", e.text);
}

void runtimes_check(struct runtimes *r, const struct config *main, const char *program_directory, const char *main_name,
                    const struct err *cache)
{
        char files[HOME_PATH_SIZE];
        bool has_files = home_languages(program_directory, files, NULL) == 0;

        for (size_t i = 0; i < r->n; i++) {
                struct runtime *row = &r->at[i];
                struct err e = { 0 };
                if (!row->is_data || row->state != RUNTIME_PRESENT)
                        continue;
                if (usable_check(&row->data, has_files ? files : NULL, &e) < 0) {
                        set_broken(row, row->in_main ? main_name : row->why, row->data.line, &e);
                } else if (row->data.prepare && cache->code) {
                        set_broken(row, main_name, main->cache_line, cache);
                        snprintf(row->fault, sizeof row->fault, "the server's cache directory can't be used");
                }
        }
}

void runtimes_fini(struct runtimes *r)
{
        for (size_t i = 0; i < r->n; i++)
                if (r->at[i].is_data)
                        config_runtime_fini(&r->at[i].data);
        free(r->at);
        *r = (struct runtimes){ 0 };
}
