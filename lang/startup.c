/* A process that is started for one job: see startup.h. */
#include "lang/startup.h"

#include "lang/words.h"
#include "proto/base/spawn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* The library that `stdbuf` preloads, and the variable that makes it leave standard output without a buffer. */
#define STDBUF "/usr/libexec/coreutils/libstdbuf.so"
static char stdbuf_mode[] = "_STDBUF_O=0"; /* an environment has no const */

/* The type of the terminal, for a job that does not set TERM. */
static char terminal_name[] = "TERM=xterm";

/* A shell's exit statuses for a program that it can't start. */
enum { EXIT_NO_EXEC = 126, EXIT_NOT_FOUND = 127, MAX_PACKAGE_VARIABLES = 2 };

/* Variables that libc and the dynamic linker read, in every program. */
static const char *const of_every_process[] = { "GLIBC_TUNABLES", "LD_*", "MALLOC_*", NULL };

static bool is_one_of(const char *variable, const char *const *names)
{
        size_t n = strcspn(variable, "=");
        for (; names && *names; names++) {
                size_t len = strlen(*names);
                bool prefix = len > 0 && (*names)[len - 1] == '*';
                if (prefix ? n >= len - 1 && strncmp(variable, *names, len - 1) == 0
                           : n == len && strncmp(variable, *names, n) == 0)
                        return true;
        }
        return false;
}

/* The value of the last variable of that name; only the first len bytes are the name. NULL: it is not set. */
static const char *value_of(const char *name, size_t len, char *const *env)
{
        const char *value = NULL;
        for (; *env; env++)
                if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
                        value = *env + len + 1;
        return value;
}

const char *startup_variable(const struct lang *lang, const struct job *job)
{
        for (char *const *v = job->env; *v; v++) {
                bool is_of_language = is_one_of(*v, lang->at_start) && !(lang->obeys && lang->obeys(*v));
                if (!is_one_of(*v, of_every_process) && !is_of_language)
                        continue;
                size_t len = strcspn(*v, "=");
                const char *there = value_of(*v, len, environ);
                if (!there || strcmp(there, *v + len + 1) != 0)
                        return *v;
        }
        return NULL;
}

/* ---------------------------------------------------------------- environments */

/* Takes env over, and returns its variables together with more. */
static char **with(char **env, char *const *more)
{
        char **both = words_environment(env, more);
        free(env);
        return both;
}

char **startup_environment(char *const *base, const struct job *job)
{
        char **env = words_environment(base, job->env), *preload = NULL;
        if (env && job->header.terminal && !value_of("TERM", strlen("TERM"), env))
                env = with(env, (char *[]){ terminal_name, NULL });
        if (!env || !job->header.unbuffered || access(STDBUF, R_OK) < 0)
                return env;
        const char *own = value_of("LD_PRELOAD", strlen("LD_PRELOAD"), env);
        if (asprintf(&preload, "LD_PRELOAD=%s%s%s", STDBUF, own ? ":" : "", own ? own : "") < 0) {
                free(env);
                return NULL;
        }
        return with(env, (char *[]){ preload, stdbuf_mode, NULL }); /* the strings are never freed */
}

/* The environment of a fresh process. It also has the variables by which the language's command finds the operator's
 * packages. The warm interpreter knows these packages already. */
static char **fresh_environment(const struct lang *lang, const struct job *job)
{
        char **env = startup_environment(environ, job), *more[MAX_PACKAGE_VARIABLES + 1] = { NULL };
        const struct lang_package_variable *v = lang->package_variables;
        if (!env || !v || access(LANG_PACKAGES, X_OK) < 0)
                return env;
        for (size_t i = 0; i < MAX_PACKAGE_VARIABLES && v[i].name; i++) {
                const char *own = value_of(v[i].name, strlen(v[i].name), job->env);
                if (asprintf(&more[i], "%s=%s%s%s", v[i].name, own ? own : "", own ? v[i].joint : "", v[i].value) < 0)
                        return NULL;
        }
        return with(env, more);
}

/* ---------------------------------------------------------------- a fresh process */

/* NULL: the job names no interpreter. */
static const char *interpreter_of(const struct job *job)
{
        return job->interpreter && *job->interpreter ? job->interpreter : NULL;
}

/* Looks the interpreter up in the PATH that the program will have. Returns only on failure, a positive errno. */
static int become_interpreter(char **argv, const struct job *job, char *const *env)
{
        const char *path = value_of("PATH", strlen("PATH"), (char *const *)env);
        if (!words_replace(argv, 0, interpreter_of(job)) || (path && setenv("PATH", path, 1) < 0))
                return ENOMEM;
        return -spawn_become(argv, env);
}

/* For a directory, the kernel reports only that it can't be executed. */
static bool is_directory(const char *path)
{
        struct stat st;
        return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int startup_become(const char *language, const struct job *job, const char *path, char **argv, char *const *env)
{
        int error = ENOMEM;
        const char *program = interpreter_of(job) ? interpreter_of(job) : path ? path : argv ? argv[0] : "its program";
        if (argv && env) {
                spawn_reset_signals();
                if (interpreter_of(job))
                        error = become_interpreter(argv, job, env);
                else if (!path)
                        error = -spawn_become(argv, env);
                else if (execve(path, argv, env) < 0)
                        error = errno;
        }
        if (error == EACCES && strchr(program, '/') && is_directory(program))
                error = EISDIR;
        if (error == ENOENT && !strchr(program, '/'))
                fprintf(stderr, "%s: can't start %s: there is no such program in PATH\n", language, program);
        else
                fprintf(stderr, "%s: can't start %s: %s\n", language, program, strerror(error));
        return error == ENOENT ? EXIT_NOT_FOUND : EXIT_NO_EXEC;
}

bool startup_prompts(const struct lang *lang)
{
        return lang->prompt && spawn_can_start(lang->prompt[0]);
}

static void say_that_nothing_is_echoed(const struct lang *lang, const struct job *job)
{
        const char *variable = startup_variable(lang, job);
        if (job->header.echo && variable)
                fprintf(stderr, "%s: the last expression is not printed, because %.*s needs a process of its own\n",
                        lang->name, (int)strcspn(variable, "="), variable);
}

int startup_fresh(const struct lang *lang, const struct job *job)
{
        const char *const *line = job->header.prompt && lang->prompt ? lang->prompt : lang->fresh;
        say_that_nothing_is_echoed(lang, job);
        int r = lang->before_fresh ? lang->before_fresh(job) : 0;
        if (r < 0) {
                fprintf(stderr, "%s: can't start %s: %s\n", lang->name, line[0], strerror(-r));
                return EXIT_NO_EXEC;
        }
        char **argv = words_expand((char *const *)line + 1, WORDS_RUN, job, NULL);
        return startup_become(lang->name, job, line[0], argv, fresh_environment(lang, job));
}

/* tzset is needed because localtime_r does not read TZ again. */
static void set_time_zone(const struct job *job)
{
        const char *zone = value_of("TZ", strlen("TZ"), job->env);
        if (zone && setenv("TZ", zone, 1) == 0)
                tzset();
}

int startup_begin(const struct lang *lang, const struct job *job)
{
        const char *variable = lang->kind == KIND_FORKED ? startup_variable(lang, job) : NULL;
        bool is_asked_for = lang->kind == KIND_FORKED && job->header.fresh && !(lang->takes && lang->takes(job));
        if ((variable || is_asked_for) && lang->fresh)
                return startup_fresh(lang, job);
        if (variable)
                fprintf(stderr,
                        "%s: %.*s does nothing here: it is read when a process starts, and this one had started\n",
                        lang->name, (int)strcspn(variable, "="), variable);
        if (lang->kind == KIND_FORKED)
                set_time_zone(job);
        return -1;
}
