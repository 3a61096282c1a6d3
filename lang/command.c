/* Languages that are data: see command.h. The program of a job becomes the sandbox's main process by exec; only a
 * prestarted program is a child of the main process, which then ends as the child does. */
#include "lang/command.h"

#include "lang/prestart.h"
#include "lang/startup.h"
#include "lang/version.h"
#include "lang/words.h"
#include "proto/base/own.h"
#include "proto/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

enum { EXIT_NO_EXEC = 126 }; /* the exit status of a shell for a program that it can't start */

/* One per zygote, copied by each fork. */
struct command {
        const struct lang_command *is;
        char **warm; /* owned, expanded; NULL: there is no such line */
        bool sized;  /* the program is sized by the default memory limit, and is useless under another */
        struct prestart started;
};

/* Sets the language's variables from here on, for its version command and for all its programs. */
static int set_environment(char *const *env, struct err *e)
{
        for (; env && *env; env++)
                if (putenv(*env) != 0)
                        return err_set(e, errno, "the variable %s", *env);
        return 0;
}

static int command_warm(const struct lang_setup *setup, struct lang_warmed *out, struct err *e)
{
        struct command *c = calloc(1, sizeof *c);
        if (!c)
                return err_set(e, ENOMEM, "the state of a language");
        *c = (struct command){ .is = setup->command, .started = { .sock = -1 } };
        out->state = c;
        int r = set_environment(c->is->env, e);
        if (r == 0)
                r = version_ask(c->is->version, out->version, sizeof out->version, e);
        if (r < 0 || !c->is->warm)
                return r;
        c->sized = words_name_memory(c->is->warm);
        c->warm = words_expand_memory(c->is->warm, c->is->memory_bytes);
        return c->warm ? prestart_try(c->warm, e) : err_set(e, ENOMEM, "the state of a language");
}

/* With a terminal no program is started ahead: the run starts its own. */
static int command_after_fork(void *state)
{
        struct command *c = state;
        if (!c->warm || isatty(STDIN_FILENO))
                return 0;
        return prestart_start(&c->started, c->warm);
}

/* For a job that the waiting program can't do, if the language has no run line. */
static int start_fresh(struct command *c, const struct job *job)
{
        static char fresh[] = "fresh";
        size_t n = 0;
        char **line = words_expand_memory(c->is->warm, job->header.memory_bytes);
        while (line && line[n])
                n++;
        OWN_MEM char **longer = line ? calloc(n + 2, sizeof *longer) : NULL;
        if (!longer)
                return EXIT_NO_EXEC;
        memcpy(longer, line, n * sizeof *longer);
        longer[n] = fresh;
        int r = prestart_start_fresh(&c->started, longer, job);
        words_free(line);
        if (r == 0)
                r = prestart_offer(&c->started, job);
        if (r < 0)
                fprintf(stderr, "%s: a fresh process can't be started: %s\n", c->is->name, strerror(-r));
        return r < 0 || (r == 0 && !c->started.taken) ? EXIT_NO_EXEC : r;
}

/* The command line of a job that no program started ahead can do, since it has words for the command line itself. NULL:
 * it is no such job, or there is no such line. */
static char *const *line_of_its_own(const struct lang_command *c, const struct job *job)
{
        const struct job_header *h = &job->header;
        if (!h->fresh || h->purpose == JOB_COMPILE)
                return NULL;
        if (h->prompt && c->prompt)
                return c->prompt;
        bool has_words = *job->interpreter || h->n_interpreter_args > 0 || !*job->entry;
        return has_words && c->fresh ? c->fresh : c->run;
}

static int command_compile(void *state, const struct job *job)
{
        struct command *c = state;
        int r = 0;
        if (line_of_its_own(c->is, job)) {
                if (c->started.pid > 0)
                        prestart_end(&c->started);
                return 0;
        }
        if (c->started.pid > 0 && c->sized && job->header.memory_bytes != c->is->memory_bytes)
                prestart_end(&c->started);
        else
                r = prestart_offer(&c->started, job);
        return r != 0 || c->started.taken || c->is->run ? r : start_fresh(c, job);
}

/* A program whose last line has no end gets one, where the language's command needs that. A file that can't be written
 * to is left as it is. Its command then says what is wrong. */
static void end_last_line(const char *entry)
{
        char last = '\n';
        OWN_FD int fd = open(entry, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
        off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
        if (size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n' && write(fd, "\n", 1) < 0)
                fprintf(stderr, "%s: the end of its last line: %s\n", entry, strerror(errno));
}

/* Returns only if it failed. Programs are found in the PATH of this process, which is the language's. A compiler's home
 * is not the work directory: files of a request must not be settings of its compiler, and the request has no variables
 * in that stage (pool/core/execution_steps.c). */
static int become(const struct lang_command *c, char *const *line, enum words_use use, const struct job *job)
{
        static char elsewhere[] = "HOME=/tmp";
        char *const compilers[] = { elsewhere, NULL };
        for (char *const *word = line; *word; word++)
                if (strcmp(*word, "{entry-line}") == 0 && *job->entry)
                        end_last_line(job->entry);
        char **argv = words_expand(line, use, job, c->extensions);
        char **env = use == WORDS_COMPILE ? words_environment(environ, compilers) : startup_environment(environ, job);
        return startup_become(c->name, job, NULL, argv, env);
}

static int command_run(void *state, const struct job *job)
{
        struct command *c = state;
        char *const *own = line_of_its_own(c->is, job);
        if (own)
                return become(c->is, own, WORDS_RUN, job);
        if (c->started.taken && job->header.purpose == JOB_COMPILE) {
                prestart_end(&c->started); /* its artifacts are in the work directory */
                return 0;
        }
        if (c->started.taken)
                return prestart_follow(&c->started);
        if (job->header.purpose == JOB_COMPILE)
                return become(c->is, c->is->compile, WORDS_COMPILE, job);
        return become(c->is, c->is->run, WORDS_RUN, job);
}

struct lang lang_command_vtable(const struct lang_command *c)
{
        /* What is compiled has no interpreter. */
        char *const *fresh = c->kind == KIND_COMPILED ? NULL : c->fresh ? c->fresh : c->run;

        return (struct lang){
                .abi = LANG_ABI,
                .name = c->name,
                .aliases = c->aliases,
                .main_file = c->main_file,
                .extensions = "", /* the pool has them from the language's file */
                .kind = c->kind,
                .echoes = c->echoes,
                .extra_calls = c->extra_calls,
                .links = c->links,
                .fresh = (const char *const *)fresh,
                .prompt = (const char *const *)c->prompt,
                .warm = command_warm,
                .after_fork = command_after_fork,
                .compile = c->kind == KIND_PRESTARTED ? command_compile : NULL,
                .run = command_run,
        };
}
