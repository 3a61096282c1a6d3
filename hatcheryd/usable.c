/* Checks whether a language can be served: see usable.h. */
#include "hatcheryd/usable.h"

#include "zygote/sandbox/seccomp.h"
#include "zygote/zygote.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The PATH that zygote/warm.c and zygote/prepare.c set. */
static const char standard_path[] = "/usr/local/bin:/usr/bin:/bin";

/* The host's directories that every sandbox sees. */
static const char *const seen[] = {
        "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/alternatives",
};

static bool is_at_or_below(const char *path, const char *directory, size_t len)
{
        return strncmp(path, directory, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static bool is_program(const char *path)
{
        struct stat st;
        return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* A path that only sandboxes have: a link, or a directory that Hatchery adds. */
static bool is_inside_alone(const struct config_runtime *r, const char *path)
{
        for (char **link = r->links; link && *link; link++)
                if (is_at_or_below(path, *link, strcspn(*link, "=")))
                        return true;
        return is_at_or_below(path, "/hatchery", strlen("/hatchery"));
}

static bool is_shown(const struct config_runtime *r, const char *path)
{
        for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++)
                if (is_at_or_below(path, seen[i], strlen(seen[i])))
                        return true;
        for (char **shown = r->paths; shown && *shown; shown++)
                if (is_at_or_below(path, *shown, strlen(*shown)))
                        return true;
        return false;
}

static const char *path_variable(const struct config_runtime *r)
{
        const char *path = standard_path;
        for (char **v = r->env; v && *v; v++)
                if (strncmp(*v, "PATH=", 5) == 0)
                        path = *v + 5;
        return path;
}

/* False for a path that the compiler makes, and for a placeholder such as {entry}: it names no file of the host. */
static bool is_to_be_looked_for(const struct config_runtime *r, const char *word)
{
        return *word != '{' && (!strchr(word, '/') || (*word == '/' && !is_inside_alone(r, word)));
}

bool usable_find_program(const struct config_runtime *r, const char *word, char path[USABLE_PATH_SIZE])
{
        if (!is_to_be_looked_for(r, word))
                return false;
        if (*word == '/') {
                snprintf(path, USABLE_PATH_SIZE, "%s", word);
                return is_program(path);
        }
        for (const char *at = path_variable(r); *at; at += strspn(at, ":")) {
                size_t len = strcspn(at, ":");
                int n = snprintf(path, USABLE_PATH_SIZE, "%.*s/%s", (int)len, at, word);
                if (n > 0 && n < USABLE_PATH_SIZE && is_program(path))
                        return true;
                at += len;
        }
        return false;
}

/* Does PATH name a directory that only sandboxes have? That directory may hold the program. */
static bool may_be_inside(const struct config_runtime *r)
{
        for (const char *at = path_variable(r); *at; at += strspn(at, ":")) {
                size_t len = strcspn(at, ":");
                char directory[USABLE_PATH_SIZE];
                snprintf(directory, sizeof directory, "%.*s", (int)len, at);
                if (is_inside_alone(r, directory))
                        return true;
                at += len;
        }
        return false;
}

static int check_program(const struct config_runtime *r, const char *key, char *const *line, struct err *e)
{
        char path[USABLE_PATH_SIZE];
        bool on_host = strcmp(key, "prepare") == 0;

        if (!line || !is_to_be_looked_for(r, line[0]))
                return 0;
        if (!usable_find_program(r, line[0], path)) {
                if (*line[0] != '/' && may_be_inside(r))
                        return 0;
                return err_say(e, EINVAL, "%s begins with %.80s, and there is no such program", key, line[0]);
        }
        if (!on_host && !is_shown(r, path))
                return err_say(e, EINVAL,
                               "%s begins with %.80s, which sandboxes do not see: name its directory in paths", key,
                               path);
        return 0;
}

static int check_programs(const struct config_runtime *r, struct err *e)
{
        const struct {
                const char *key;
                char **line;
        } rows[] = {
                { "version", r->version }, { "prepare", r->prepare }, { "compile", r->compile },
                { "warm", r->warm },       { "run", r->run },         { "fresh", r->fresh },
        };
        int n = 0;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0] && n == 0; i++)
                n = check_program(r, rows[i].key, rows[i].line, e);
        return n;
}

static int check_calls(const struct config_runtime *r, struct err *e)
{
        struct seccomp_program program = { 0 };
        if (!r->extra_calls)
                return 0;
        int n = seccomp_program_build(&program, SECCOMP_OUTER, (const char *const *)r->extra_calls, e);
        seccomp_program_fini(&program);
        return n < 0 ? err_wrap(e, "extra_calls") : 0;
}

int usable_check(const struct config_runtime *r, const char *files, struct err *e)
{
        int n = check_programs(r, e);
        if (n == 0)
                n = zygote_check_paths(files, r->prepare != NULL, r->paths, e);
        return n < 0 ? n : check_calls(r, e);
}
