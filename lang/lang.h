/* The interface between Hatchery and a language. There are two sorts of languages.
 *
 * A plug-in is an interpreter that is initialised once in a zygote and then forked. It defines `const struct lang
 * hatchery_language`, and is built as a library of its own (hatchery-lang-NAME.so). So hatcheryd links no interpreter,
 * and runs even if some interpreters are not installed.
 *
 * Every other program with a command line is data (a file NAME.conf), carried out by lang/command.c. */
#pragma once

#include "proto/base/err.h"
#include "proto/ipc/job.h"
#include "proto/ipc/kind.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lang_command;

enum { LANG_ABI = 8, LANG_VERSION_SIZE = 64 };

/* Where a sandbox sees directories of the host, read-only, if its language has them. */
#define LANG_PACKAGES "/hatchery/packages" /* third-party packages, as the operator installed them */
#define LANG_FILES    "/hatchery/lang"     /* files of Hatchery that the language needs, such as drivers */
#define LANG_PREPARED "/hatchery/prepared" /* the result of a language's prepare command */

/* One module that was named in the configuration, loaded in the zygote. */
struct lang_preload {
        const char *name;  /* borrowed from the setup */
        bool missing;      /* it could not be loaded: a warning, not an error */
        uint64_t first_us; /* the time to load it in the zygote; a run would need as long if it were not preloaded */
        uint64_t again_us; /* time of importing it again */
};

/* The zygote's data for a language at its start; valid for the life of the process. */
struct lang_setup {
        char *const *preload;
        size_t n_preload;
        const char *packages;               /* LANG_PACKAGES, or NULL if the operator has no directory of packages for
                                             * the language */
        const struct lang_command *command; /* of a language that is data; NULL for a plug-in */
};

/* The language's data for the zygote. */
struct lang_warmed {
        void *state; /* the language's own, passed to all later calls; lives as long as the process */
        char version[LANG_VERSION_SIZE]; /* "3.11.2" */
        struct lang_preload *preloads;   /* n_preload of the setup; NULL if it preloads nothing */
};

/* An environment variable by which a command finds packages. The variable is set to the job's own value, then `joint`,
 * then `value`. */
struct lang_package_variable {
        const char *name;
        const char *joint;
        const char *value;
};

struct lang {
        unsigned abi;          /* LANG_ABI */
        const char *name;      /* "python" */
        const char *aliases;   /* "python3 py" */
        const char *main_file; /* the file name of inline code: "main.py" */

        /* The extensions of its programs, without the dot: "py pyw". "" if its programs have the extension of another
         * language. Also "" for a language that is data, whose file lists them. */
        const char *extensions;

        enum kind kind;
        bool echoes; /* the language obeys job_header.echo */

        /* System calls that its programs get beyond those of zygote/sandbox/seccomp_table.c, with any arguments; ends
         * with NULL, and NULL itself for none. A call that no sandbox may have is refused at the start. Each call needs
         * a comment that says which part of the runtime fails without it. */
        const char *const *extra_calls;

        /* Directories of the host that its sandboxes see besides /usr, read-only and at the same place: settings of a
         * runtime below /etc. A missing one is left out. Ends with NULL, and NULL itself for none. */
        const char *const *paths;

        /* Symbolic links at the top of its sandboxes' file system, each "/NAME=TARGET": for a runtime that looks for
         * packages at fixed paths. A link whose target is missing is left out; of two with one name the first counts.
         * Ends with NULL, and NULL itself for none. */
        const char *const *links;

        /* Variables that its own command reads once, when it starts, besides those that every process reads
         * (lang/startup.c): names; a `*` at the end stands for any rest. Ends with NULL, and NULL itself for none. A
         * job that sets such a variable is run by `fresh`. Without `fresh`, the job gets a message that the variable
         * has no effect. For forked languages only. */
        const char *const *at_start;

        /* True for a variable of at_start, NAME=VALUE, that `run` obeys although its process has started. NULL: it
         * obeys none. */
        bool (*obeys)(const char *variable);

        /* True for a job with job_header.fresh that `run` does as the started command would. NULL: it does none. */
        bool (*takes)(const struct job *job);

        /* How an interpreter is started for one job: the path of a program, and then its command line, in the words of
         * lang/command.h, {interpreter_args} among them. NULL: the language has no such command, and a job with
         * job_header.fresh is refused. */
        const char *const *fresh;

        /* In the same form, the command for the language's own prompt, for a terminal without a program. NULL: none. */
        const char *const *prompt;
        const struct lang_package_variable *package_variables; /* for fresh and prompt; ends with a row of NULL. May be
                                                                * NULL */

        /* Called in the process that becomes fresh or prompt, before the exec. 0, or a negative errno. May be NULL. */
        int (*before_fresh)(const struct job *job);

        /* Called in the zygote, once. Descriptors 0 to 2 are pipes, as in a sandbox, so that the interpreter's facts
         * about its standard streams are also right in a sandbox. The file system and the environment are also those of
         * a sandbox. When it returns, the process must have one thread only. 0, or a negative errno with a sentence. */
        int (*warm)(const struct lang_setup *setup, struct lang_warmed *out, struct err *e);

        /* Called in each child, inside the finished sandbox and before the interpreter does anything. Renews locks,
         * thread state, and every random source that was seeded in the zygote. A prestarted program is started here,
         * and this returns when it waits for its job. 0, or a negative errno: the sandbox is thrown away. */
        int (*after_fork)(void *state);

        /* Called in each child before it reports warm, unless a request waits for it already. Runs a trivial program
         * that leaves nothing behind. So the pages that every run dirties are copied before the job comes. May be
         * NULL. */
        void (*rehearse)(void *state);

        /* Called in each child that has its job, before any byte of the program has run, if the language translates the
         * program as a whole first and may refuse it. Its messages go to descriptors 1 and 2. 0, or the exit status of
         * the compiler's own command, 1 to 255; the run then ends as COMPILE_ERROR, and run is not called. compile must
         * not run anything of the request: a library, a plug-in or a script beside the program. May be NULL. */
        int (*compile)(void *state, const struct job *job);

        /* Called in each child: runs the job as the language's own command would, with the work directory current,
         * descriptors 0 to 2 in place and job->env to be applied. Returns the exit status, or ends the process
         * itself. */
        int (*run)(void *state, const struct job *job);
};

/* The one symbol of a plug-in. */
extern const struct lang hatchery_language;
#define LANG_SYMBOL "hatchery_language"
