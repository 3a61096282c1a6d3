/* Loads a zygote's language, paths and cgroups from the host. See zygote_parts.h. */
#include "zygote/zygote_parts.h"

#include "lang/lang.h"
#include "proto/base/own.h"
#include "zygote/base/image.h"
#include "zygote/rights.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int find_language(const char *path, const char *name, const struct lang **lang, struct err *e)
{
        void *handle = dlopen(path, RTLD_NOW | RTLD_GLOBAL); /* global: the interpreter's own extensions need it */
        if (!handle) {
                const char *why = dlerror();
                bool missing = strstr(why, "cannot open shared object file") != NULL;
                return err_say(e, missing ? ENOENT : ELIBBAD, "loading the language: %s", why);
        }
        *lang = dlsym(handle, LANG_SYMBOL);
        if (!*lang || (*lang)->abi != LANG_ABI || strcmp((*lang)->name, name) != 0)
                return err_say(e, EINVAL, "the plug-in for %s is not of this version", name);
        return 0;
}

/* When a numeric library of an interpreter (R's) is loaded, it starts a thread for each processor, unless these
 * variables forbid it; a sandbox would not have the threads. The variables are wiped with the rest of the
 * environment. */
static int forbid_threads(struct err *e)
{
        static const char *const variables[] = { "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS" };
        for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
                if (setenv(variables[i], "1", 1) < 0)
                        return err_set(e, errno, "the environment");
        return 0;
}

/* Loads the plug-in from a copy in memory. No program uses its path for a file of its own: the dynamic linker compares
 * paths before it looks at files. */
static int load_language(struct zygote_self *z, struct err *e)
{
        char name[64], path[64];
        if (z->options->command) {
                z->shown->of_command = lang_command_vtable(z->options->command);
                z->lang = &z->shown->of_command;
                return 0;
        }
        int r = forbid_threads(e);
        if (r < 0)
                return r;
        snprintf(name, sizeof name, "hatchery-lang-%s", z->options->language);
        OWN_FD int plugin = image_copy(z->options->plugin, name, S_IRUSR | S_IXUSR, e);
        if (plugin < 0)
                return plugin;
        snprintf(path, sizeof path, "/proc/self/./fd/%d", plugin);
        return find_language(path, z->options->runtime, &z->lang, e);
}

/* Called on the first stack, since the command is forked. */
static long prepare_language(void *argument)
{
        struct zygote_self *z = argument;
        const struct zygote_arguments *o = z->options;
        const struct prepare p = {
                .language = o->language,
                .command = o->prepare,
                .identity = o->identity,
                .env = o->command ? o->command->env : NULL,
                .files = o->files,
                .cache = o->cache,
                .log = &z->log,
        };
        return o->prepare && *o->prepare ? prepare_directory(&p, z->prepared, &z->prepared_held, &z->error) : 0;
}

/* Chooses the host's directories that sandboxes see besides /usr. */
static int choose_paths(struct zygote_self *z, struct err *e)
{
        const struct zygote_arguments *o = z->options;
        struct paths *paths = &z->shown->birth.settings.paths;
        int r = o->packages ? paths_add(paths, o->packages, LANG_PACKAGES, e) : 0;
        char closed[NAME_MAX + 1];
        /* The zygote itself can read all files. It would preload modules that a program then could not load. */
        if (r == 0 && o->packages && paths_find_closed(o->packages, closed))
                log_warn(&z->log,
                         "packages: programs can't read %s/%s, and perhaps others; programs run as another user",
                         o->packages, closed);
        if (r == 0 && o->files)
                r = paths_add(paths, o->files, LANG_FILES, e);
        if (r == 0 && z->prepared[0])
                r = paths_add(paths, z->prepared, LANG_PREPARED, e);
        for (char *const *path = o->paths; path && *path && r == 0; path++)
                r = paths_add(paths, *path, *path, e);
        for (const char *const *path = z->lang->paths; path && *path && r == 0; path++)
                if (access(*path, F_OK) == 0)
                        r = paths_add(paths, *path, *path, e);
        return r;
}

/* Checks in the order of choose_paths, with placeholders for paths that are not known yet. */
int zygote_check_paths(const char *files, bool prepares, char *const *list, struct err *e)
{
        struct paths paths = { .n = 0 };
        struct stat st;
        int r = paths_add(&paths, "/packages", LANG_PACKAGES, e);
        if (r == 0 && files)
                r = paths_add(&paths, files, LANG_FILES, e);
        if (r == 0 && prepares)
                r = paths_add(&paths, "/prepared", LANG_PREPARED, e);
        for (; list && *list && r == 0; list++) {
                if (stat(*list, &st) < 0 || !S_ISDIR(st.st_mode))
                        return err_say(e, ENOTDIR, "paths names %.150s, and there is no such directory", *list);
                r = paths_add(&paths, *list, *list, e);
        }
        return r;
}

int zygote_load(struct zygote_self *z, struct err *e)
{
        const struct zygote_arguments *o = z->options;
        if (o->faults) {
                int opened = faults_open(&z->shown->birth.settings.faults, o->faults, e);
                if (opened < 0)
                        return opened;
                z->maker.cells.faults = z->shown->birth.settings.faults;
                log_warn(&z->log, "faults are injected from %s: walls may be missing, this is no server for strangers",
                         o->faults);
        }
        int r = rights_leave_network(&z->maker.cells.faults, e);
        if (r == 0)
                r = (int)aside_leave(z->aside, prepare_language, z);
        if (r == 0)
                r = load_language(z, e);
        if (r == 0)
                r = choose_paths(z, e);
        if (r < 0)
                return r;

        z->maker.cells.init_program = open(o->init_program, O_PATH | O_CLOEXEC);
        if (z->maker.cells.init_program < 0)
                return err_set(e, errno, "open %s", o->init_program);
        z->maker.cells.uid_base = o->uid_base;
        r = cgroup_base_init(&z->maker.cells.cgroups, o->cgroups, o->n_cgroups, o->group, e);
        if (o->disk_read)
                snprintf(z->maker.cells.cgroups.disk_read, sizeof z->maker.cells.cgroups.disk_read, "%s", o->disk_read);
        return r < 0 ? r : cgroup_slot_init(&z->maker.cells.inits, &z->maker.cells.cgroups, CGROUP_SLOT_INITS, e);
}

int zygote_check_plugin(const char *runtime, const char *plugin, struct err *e)
{
        const struct lang *lang = NULL;
        return find_language(plugin, runtime, &lang, e);
}

int zygote_print_calls(const char *language, const char *plugin, FILE *to, struct err *e)
{
        const struct lang *lang = NULL;
        int r = find_language(plugin, language, &lang, e);
        if (r < 0 || !lang)
                return r;
        seccomp_print_extra(to, language, lang->extra_calls);
        return 0;
}
