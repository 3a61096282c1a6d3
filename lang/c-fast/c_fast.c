/* C by libtcc: translated in the process that runs it, as `tcc -lm OTHER.c... -run main.c` does, in a millisecond.
 *
 * The program is translated and linked before any byte of it runs. So a program that libtcc refuses ends as
 * COMPILE_ERROR, as in a compiled language. The program then runs in this process, and shares its libc, its exit and
 * its signals. */
#include "lang/lang.h"

#include <dlfcn.h>
#include <errno.h>
#include <fts.h>
#include <libtcc.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Every program is linked with this library besides libc. */
#define MATHS "libm.so.6"

/* Debian has libtcc only as an archive that is made for executables. The archive refers to these three variables of
 * libc as if they were in its own image, which is impossible in a library. The linker takes our variables instead
 * (--wrap in CMakeLists.txt). */
extern FILE *__wrap_stdout;   /* NOLINT(bugprone-reserved-identifier): the linker makes the name */
extern FILE *__wrap_stderr;   /* NOLINT(bugprone-reserved-identifier) */
extern char **__wrap_environ; /* NOLINT(bugprone-reserved-identifier) */
extern FILE *__real_stdout;   /* NOLINT(bugprone-reserved-identifier) */
extern FILE *__real_stderr;   /* NOLINT(bugprone-reserved-identifier) */
extern char **__real_environ; /* NOLINT(bugprone-reserved-identifier) */
FILE *__wrap_stdout;          /* NOLINT(bugprone-reserved-identifier) */
FILE *__wrap_stderr;          /* NOLINT(bugprone-reserved-identifier) */
char **__wrap_environ;        /* NOLINT(bugprone-reserved-identifier): for tcc_run alone, which is not called */

/* #pragma comment(lib, ...) makes libtcc load a library while it still translates, and a loaded library runs code. So
 * libtcc gets only libraries of the system and the operator's packages: until `compile` has returned, no file of a
 * request may run. */
extern void *__real_dlopen(const char *file, int flags); /* NOLINT(bugprone-reserved-identifier) */
void *__wrap_dlopen(const char *file, int flags);        /* NOLINT(bugprone-reserved-identifier) */
void *__wrap_dlopen(const char *file, int flags)         /* NOLINT(bugprone-reserved-identifier): for libtcc */
{
        static const char *const trusted[] = { "/usr/", LANG_PACKAGES "/" };
        char path[PATH_MAX];
        if (!file || !realpath(file, path))
                return NULL;
        for (size_t i = 0; i < sizeof trusted / sizeof trusted[0]; i++)
                if (strncmp(path, trusted[i], strlen(trusted[i])) == 0)
                        return __real_dlopen(path, flags);
        return NULL;
}

typedef int main_function(int argc, char **argv, char **envp);

/* What compile leaves for run. */
struct c_fast {
        TCCState *tcc;
        main_function *main;
};

static TCCState *new_program(void)
{
        TCCState *tcc = tcc_new();
        if (tcc)
                tcc_set_output_type(tcc, TCC_OUTPUT_MEMORY);
        return tcc;
}

/* Translates and links a program in memory, and returns the address of the symbol. NULL: that failed. */
static void *translate(TCCState *tcc, const char *text, const char *symbol)
{
        if (tcc_compile_string(tcc, text) < 0 || tcc_relocate(tcc, TCC_RELOCATE_AUTO) < 0)
                return NULL;
        return tcc_get_symbol(tcc, symbol);
}

/* Finds the version; the library has no call for it. 927 is 0.9.27. */
static int find_version(char version[LANG_VERSION_SIZE], struct err *e)
{
        TCCState *tcc = new_program();
        const int *number = tcc ? translate(tcc, "int number = __TINYC__;\n", "number") : NULL;
        int r = number ? 0 : err_say(e, EIO, "libtcc can't translate: is the package tcc installed?");
        if (number)
                snprintf(version, LANG_VERSION_SIZE, "0.%d.%d", *number / 100, *number % 100);
        if (tcc)
                tcc_delete(tcc);
        return r;
}

/* Translates and runs a typical program, so that the headers, the translator and the linker have been used once. */
static void rehearse_program(void)
{
        static const char program[] = "#include <stdio.h>\n"
                                      "#include <stdlib.h>\n"
                                      "#include <string.h>\n"
                                      "static int f(int n) { return n < 2 ? n : f(n - 1) + f(n - 2); }\n"
                                      "int main(void)\n"
                                      "{\n"
                                      "    char text[32];\n"
                                      "    snprintf(text, sizeof text, \"%d %f\", f(3), 1.5);\n"
                                      "    free(malloc(strlen(text)));\n"
                                      "    return 0;\n"
                                      "}\n";
        TCCState *tcc = new_program();
        int (*function)(void) = NULL;
        if (tcc)
                *(void **)&function = translate(tcc, program, "main");
        if (function)
                function();
        if (tcc)
                tcc_delete(tcc);
}

static int c_fast_warm(const struct lang_setup *setup, struct lang_warmed *out, struct err *e)
{
        __wrap_stdout = __real_stdout;
        __wrap_stderr = __real_stderr;
        __wrap_environ = __real_environ;
        if (setup->n_preload > 0)
                return err_say(e, EINVAL, "c-fast has no modules that could be preloaded");
        if (!__real_dlopen(MATHS, RTLD_NOW | RTLD_GLOBAL)) /* never closed: libtcc looks up symbols in the process */
                return err_say(e, EIO, "loading " MATHS ": %s", dlerror());
        int r = find_version(out->version, e);
        if (r < 0)
                return r;
        out->state = calloc(1, sizeof(struct c_fast));
        if (!out->state)
                return err_set(e, ENOMEM, "c-fast");
        rehearse_program();
        return 0;
}

static int c_fast_after_fork(void *state)
{
        (void)state; /* nothing needs a renewal: c-fast has no random numbers, locks or caches */
        return 0;
}

static void c_fast_rehearse(void *state)
{
        (void)state;
        rehearse_program();
}

/* ---------------------------------------------------------------- one program */

static int by_name(const FTSENT **a, const FTSENT **b)
{
        return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool is_source(const FTSENT *file)
{
        return file->fts_info == FTS_F && file->fts_namelen > 2 &&
               strcmp(file->fts_name + file->fts_namelen - 2, ".c") == 0;
}

/* Adds every other source of the request, in the order of their names, like OTHER.c... of the command line. */
static int add_others(TCCState *tcc, const char *entry)
{
        char here[] = ".";
        char *const top[] = { here, NULL };
        FTS *files = fts_open(top, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
        int r = files ? 0 : -1;
        for (FTSENT *file; r == 0 && (file = fts_read(files));) {
                const char *name = file->fts_path + strlen("./");
                if (is_source(file) && strcmp(name, entry) != 0)
                        r = tcc_add_file(tcc, name);
        }
        if (files)
                fts_close(files);
        return r;
}

/* 0, or 1 as tcc itself would exit. The fault is then on standard error, unless memory ran out or the directory could
 * not be read. */
static int c_fast_compile(void *state, const struct job *job)
{
        struct c_fast *c = state;
        c->tcc = new_program();
        if (!c->tcc || add_others(c->tcc, job->entry) < 0 || tcc_add_file(c->tcc, job->entry) < 0 ||
            tcc_relocate(c->tcc, TCC_RELOCATE_AUTO) < 0)
                return 1;
        *(void **)&c->main = tcc_get_symbol(c->tcc, "main");
        if (!c->main) {
                fputs("tcc: error: main not defined\n", stderr);
                return 1;
        }
        return 0;
}

static int c_fast_run(void *state, const struct job *job)
{
        struct c_fast *c = state;
        int argc = (int)job->header.n_args + 1;
        char **argv = calloc((size_t)argc + 1, sizeof *argv);
        char *name = strdup(job->entry);
        static char program[] = "tcc"; /* read by libc until the end of the process */
        if (!argv || !name)
                return 1;
        argv[0] = name;
        memcpy(argv + 1, job->args, job->header.n_args * sizeof *argv);
        for (char *const *variable = job->env; *variable; variable++)
                if (putenv(*variable) != 0)
                        return 1;
        if (job->header.unbuffered)
                setvbuf(stdout, NULL, _IONBF, 0);
        program_invocation_name = program_invocation_short_name = program; /* assert prints it */
        errno = 0;
        exit(c->main(argc, argv, __real_environ)); /* libc's present variable, not the copy for libtcc */
}

const struct lang hatchery_language = {
        .abi = LANG_ABI,
        .name = "c-fast",
        .aliases = "tcc",
        .main_file = "main.c",
        .extensions = "",
        .kind = KIND_FORKED,
        .warm = c_fast_warm,
        .after_fork = c_fast_after_fork,
        .rehearse = c_fast_rehearse,
        .compile = c_fast_compile,
        .run = c_fast_run,
};
