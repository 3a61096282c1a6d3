/* R: libR embedded, initialised once, and a child that runs a file as `Rscript FILE ARGS...` would.
 *
 * R reads its program line by line, as from a console; the child gives it the lines of the file. */
#include "lang/lang.h"
#include "lang/preload.h"

#define R_NO_REMAP
#define R_INTERFACE_PTRS
#define CSTACK_DEFNS
#include <Rembedded.h>
#include <Rinternals.h>

#include <errno.h>
#include <fcntl.h>
#include <Rinterface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

/* libR exports this without a header. */
extern void R_set_command_line_arguments(int argc, char **argv);
extern SEXP R_ParseEvalString(const char *text, SEXP env);
extern void R_reInitTempDir(int die);
extern void run_Rmainloop(void);

#define COMMAND (R_HOME_DIR "/bin/exec/R")

/* Variables that the script R sets before it starts the program R; the others come from R's own Renviron. */
static const char *const variables[][2] = {
        { "R_HOME", R_HOME_DIR },
        { "R_SHARE_DIR", "/usr/share/R/share" },
        { "R_INCLUDE_DIR", "/usr/share/R/include" },
        { "R_DOC_DIR", "/usr/share/R/doc" },
        { "R_ARCH", "" },
        { "SED", "/bin/sed" },
        { "LD_LIBRARY_PATH", R_HOME_DIR "/lib:/usr/lib/x86_64-linux-gnu:/usr/lib/jvm/default-java/lib/server" },
};

/* Renviron and Rprofile.site, without which R's own packages don't load, are links from R's home to there. */
static const char *const settings[] = { "/etc/R", NULL };

/* The program's file. It is static because R calls the function that reads it without any context. */
static FILE *program;

/* Works like R's own function for --file: reads a line, which always ends with LF. 0 at the end. */
static int read_program(const char *prompt, unsigned char *buffer, int size, int history)
{
        char *line = (char *)buffer;
        (void)prompt;
        (void)history;
        if (!program || !fgets(line, size, program))
                return 0;
        size_t len = strlen(line);
        if (len >= 2 && line[len - 1] == '\n' && line[len - 2] == '\r') {
                line[len - 2] = '\n';
                line[--len] = '\0';
        }
        if (feof(program) && (len == 0 || line[len - 1] != '\n') && len + 1 < (size_t)size)
                memcpy(line + len, "\n", 2);
        return 1;
}

/* 0, or -1 for an error of R, which is not printed. */
static int call(const char *function, const char *argument)
{
        int failed = 0;
        SEXP f = PROTECT(R_ParseEvalString(function, R_BaseEnv));
        SEXP text = PROTECT(Rf_mkString(argument));
        SEXP call_ = PROTECT(Rf_lang2(f, text));
        R_tryEvalSilent(call_, R_BaseEnv, &failed);
        UNPROTECT(3);
        return failed ? -1 : 0;
}

static bool load_namespace(void *context, const char *name)
{
        (void)context;
        return call("loadNamespace", name) == 0;
}

/* The command line: R keeps pointers into it, and moves them. */
struct r {
        char *argv[8];
        char words[256];
};

static int initialise(struct r *r, struct err *e)
{
        static const char *const command[] = { COMMAND, "--no-echo", "--no-restore", "--file=/dev/null", "--args" };
        enum { N = sizeof command / sizeof command[0] };
        for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
                if (setenv(variables[i][0], variables[i][1], 1) < 0)
                        return err_set(e, errno, "the environment");
        char *at = r->words;
        for (size_t i = 0; i < N; i++) {
                r->argv[i] = at;
                at = stpcpy(at, command[i]) + 1;
        }
        if (Rf_initialize_R(N, r->argv) < 0)
                return err_say(e, EIO, "R can't be initialised");
        setup_Rmainloop();
        ptr_R_ReadConsole = read_program;
        R_CleanTempDir(); /* each child has its own */
        return 0;
}

static int r_warm(const struct lang_setup *setup, struct lang_warmed *out, struct err *e)
{
        size_t n = setup->n_preload;
        struct r *state = calloc(1, sizeof *state);
        out->state = state;
        if (!state)
                return err_set(e, ENOMEM, "R");
        int r = initialise(state, e);
        if (r < 0)
                return r;
        SEXP version = PROTECT(R_ParseEvalString("as.character(getRversion())", R_BaseEnv));
        snprintf(out->version, sizeof out->version, "%s", CHAR(STRING_ELT(version, 0)));
        UNPROTECT(1);
        if (setup->packages && call(".libPaths", setup->packages) < 0)
                return err_say(e, EIO, "R does not accept the directory of packages");
        out->preloads = calloc(n ? n : 1, sizeof *out->preloads);
        if (!out->preloads)
                return err_set(e, ENOMEM, "the preloaded packages");
        for (size_t i = 0; i < n; i++)
                out->preloads[i] = preload_timed(load_namespace, NULL, setup->preload[i]);
        /* A package may have drawn random numbers. A program must begin without a seed; R then makes one from the time.
         */
        if (call("function(n) suppressWarnings(rm(list = n, envir = globalenv()))", ".Random.seed") < 0)
                return err_say(e, EIO, "R's seed can't be removed");
        /* All existing objects become old, so that only the rare full collections of a child write to them. */
        for (int i = 0; i < 3; i++)
                R_gc();
        return 0;
}

/* Tells R the size of the stack, as R's own start does. R keeps a reserve of the stack. */
static int heed_stack_limit(void)
{
        struct rlimit stack;
        if (getrlimit(RLIMIT_STACK, &stack) < 0)
                return -errno;
        if (R_CStackLimit != (uintptr_t)-1 && stack.rlim_cur != RLIM_INFINITY)
                R_CStackLimit = (uintptr_t)(0.95 * (double)stack.rlim_cur);
        return 0;
}

/* Renews R's facts about the process that differ here: the size of the stack, the prefix of temporary names, and their
 * directory. */
static int r_after_fork(void *state)
{
        unsigned seed;
        (void)state;
        int r = heed_stack_limit();
        if (r < 0)
                return r;
        if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
                return -EIO;
        srand(seed);
        R_TempDir = NULL;
        R_reInitTempDir(0);
        return R_TempDir ? 0 : -EIO;
}

static void r_rehearse(void *state)
{
        (void)state;
        int real = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (real < 0 || null < 0 || dup2(null, STDOUT_FILENO) < 0)
                _exit(126);
        call("function(t) { f <- function(x, ...) paste(x + 1, t); print(sapply(1:5, f)); cat(t, sum(1:10), '\\n');"
             " print(data.frame(a = 1:3)$a); try(stop(t), silent = TRUE); invisible() }",
             "rehearsal");
        fflush(stdout);
        if (dup2(real, STDOUT_FILENO) < 0)
                _exit(126);
        close(real);
        close(null);
}

/* ---------------------------------------------------------------- one program */

static int set_command_line(const struct job *job)
{
        size_t n = job->header.n_args;
        size_t size = strlen("--file=") + strlen(job->entry) + 1;
        char **argv = calloc(n + 6, sizeof *argv);
        char *file = malloc(size);
        int argc = 0;
        if (!argv || !file)
                return -1;
        snprintf(file, size, "--file=%s", job->entry);
        const char *const first[] = { COMMAND, "--no-echo", "--no-restore" };
        for (size_t i = 0; i < sizeof first / sizeof first[0]; i++)
                argv[argc++] = strdup(first[i]);
        argv[argc++] = file;
        if (n > 0)
                argv[argc++] = strdup("--args");
        for (size_t i = 0; i < n; i++)
                argv[argc++] = job->args[i];
        R_set_command_line_arguments(argc, argv); /* copies */
        return 0;
}

static int r_run(void *state, const struct job *job)
{
        (void)state;
        for (char *const *variable = job->env; *variable; variable++)
                if (putenv(*variable) != 0)
                        return 2;
        if (heed_stack_limit() < 0 || set_command_line(job) < 0) /* the job may have its own stack limit */
                return 2;
        program = fopen(job->entry, "re");
        if (!program) {
                fprintf(stderr, "Fatal error: cannot open file '%s': %s\n", job->entry, strerror(errno));
                return 2;
        }
        run_Rmainloop(); /* ends the process */
        return 0;
}

/* Variables that are read only at the start: by R itself, by its profile (as options), and by numeric libraries. */
static const char *const at_start[] = { "EDITOR", "LANG", "LANGUAGE", "LC_*", "MKL_*",  "OMP_*",  "OPENBLAS_*",
                                        "PAGER",  "R_*",  "TEMP",     "TMP",  "TMPDIR", "VISUAL", NULL };
static const char *const fresh[] = { "/usr/bin/Rscript", "Rscript", "{interpreter_args}", "{entry}", NULL };
/* --no-save, so that R does not ask whether to save the workspace, which ends with the sandbox. */
static const char *const prompt[] = { "/usr/bin/R", "R", "--no-save", NULL };
static const struct lang_package_variable package_variables[] = { { "R_LIBS", ":", LANG_PACKAGES }, { 0 } };

const struct lang hatchery_language = {
        .abi = LANG_ABI,
        .name = "r",
        .aliases = "rscript",
        .main_file = "main.R",
        .extensions = "R r",
        .kind = KIND_FORKED,
        .at_start = at_start,
        .fresh = fresh,
        .prompt = prompt,
        .package_variables = package_variables,
        .paths = settings,
        .warm = r_warm,
        .after_fork = r_after_fork,
        .rehearse = r_rehearse,
        .run = r_run,
};
