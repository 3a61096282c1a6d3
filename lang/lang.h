/* What Hatchery asks of a language. There are two sorts.
 *
 * A plug-in is an interpreter that is initialised once in a zygote and then forked. It defines `const struct lang
 * hatchery_language`, and is built as a library of its own (hatchery-lang-NAME.so). So hatcheryd links no interpreter,
 * and a missing one is simply absent.
 *
 * Everything that has a command line is data instead (a file NAME.conf), and carried out by lang/command.c. */
#pragma once

#include "proto/base/err.h"
#include "proto/ipc/job.h"
#include "proto/ipc/kind.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lang_command;

enum { LANG_ABI = 7, LANG_VERSION_SIZE = 64 };

/* Where things of the host are seen inside every sandbox of a language that has them, read-only. */
#define LANG_PACKAGES "/hatchery/packages" /* third-party packages, as the operator installed them */
#define LANG_FILES    "/hatchery/lang"     /* what comes with Hatchery's own language files: drivers */
#define LANG_PREPARED "/hatchery/prepared" /* what a language's prepare command has made */

/* One module that was named in the configuration, loaded in the zygote. */
struct lang_preload {
        const char *name;  /* borrowed from the setup */
        bool missing;      /* it could not be loaded: a warning's worth, not an error */
        uint64_t first_us; /* what loading it took in the zygote, and so would take in a run */
        uint64_t again_us; /* what naming it takes once it is there */
};

/* What the zygote tells a language at its start; valid as long as the process is. */
struct lang_setup {
        char *const *preload;
        size_t n_preload;
        const char *packages;               /* LANG_PACKAGES, or NULL where the operator has no directory for it */
        const struct lang_command *command; /* of a language that is data; NULL for a plug-in */
};

/* What the language tells the zygote. */
struct lang_warmed {
        void *state; /* the language's own, handed to all that follows; lives as long as the process */
        char version[LANG_VERSION_SIZE]; /* "3.11.2" */
        struct lang_preload *preloads;   /* n_preload of the setup; NULL where it preloads nothing */
};

/* A variable by which a command finds packages: the job's own value comes first, then the joint, then this one. */
struct lang_package_variable {
        const char *name;
        const char *joint;
        const char *value;
};

struct lang {
        unsigned abi;          /* LANG_ABI */
        const char *name;      /* "python" */
        const char *aliases;   /* "python3 py" */
        const char *main_file; /* what inline code is called: "main.py" */

        /* How the names of its programs end, without the dot: "py pyw". "" where its programs are told from another
         * language's by nothing; of a language that is data, whose file says it. */
        const char *extensions;

        enum kind kind;
        bool echoes; /* it heeds job_header.echo */

        /* System calls that its programs get beyond those of zygote/sandbox/seccomp_table.c, without any condition;
         * ends with NULL, and NULL itself for none. A call that no sandbox may have is refused at the start. Each needs
         * a comment that says what of the runtime fails without it. */
        const char *const *extra_calls;

        /* Directories of the host that its sandboxes see besides /usr, read-only and at the same place: settings of a
         * runtime below /etc. One that is not there is left out. Ends with NULL, and NULL itself for none. */
        const char *const *paths;

        /* Symbolic links at the top of its sandboxes' file system, each "/NAME=TARGET": for a runtime that searches
         * places of its own for packages. One whose target is not there is left out; of two with one name the first
         * counts. Ends with NULL, and NULL itself for none. */
        const char *const *links;

        /* Variables that its own command reads once, when it starts, beside those that every process reads
         * (lang/startup.c): names, where a `*` at the end stands for any rest. Ends with NULL, and NULL itself for
         * none. A job that sets one is run by `fresh`. Without `fresh` the job is told that the variable does nothing.
         * Forked languages alone. */
        const char *const *at_start;

        /* How an interpreter is started for one job: the path of a program, and then its command line, in the words of
         * lang/command.h, {interpreter_args} among them. NULL: it has no command of its own, and job_header.fresh is
         * refused. */
        const char *const *fresh;

        /* The language's own prompt, for a terminal without a program, likewise. NULL: it has none. */
        const char *const *prompt;
        const struct lang_package_variable *package_variables; /* of both; ends with a row of NULL. May be NULL */

        /* In the process that becomes fresh or prompt: 0, or a negative errno. May be NULL. */
        int (*before_fresh)(const struct job *job);

        /* In the zygote, once, with descriptors 0 to 2 being pipes, so that what the interpreter finds out about its
         * standard streams is also true of a sandbox's; the file system and the environment are a sandbox's, too. Must
         * leave one thread. 0, or a negative errno with a sentence. */
        int (*warm)(const struct lang_setup *setup, struct lang_warmed *out, struct err *e);

        /* In each child, inside the finished sandbox and before anything else of the interpreter: locks, thread state,
         * and every random source that was seeded in the zygote. A prestarted program is started here, and this returns
         * when it waits for its job. 0, or a negative errno: the sandbox is thrown away. */
        int (*after_fork)(void *state);

        /* In each child, before it reports warm, unless somebody waits for it already: runs something trivial that
         * leaves nothing behind, so that the pages every run dirties are already its own. May be NULL. */
        void (*rehearse)(void *state);

        /* In each child that has its job, before any byte of the program has run: where the program is translated as a
         * whole first, and may be refused for it. What it has to say goes to descriptors 1 and 2. 0, or the exit status
         * that the compiler's own command has, 1 to 255; the run then ends as COMPILE_ERROR, and run is not called.
         * Must not run anything of the request: a library, a plug-in or a script beside the program. May be NULL. */
        int (*compile)(void *state, const struct job *job);

        /* In each child: run the job as the language's own command would, with the work directory current, descriptors
         * 0 to 2 in place and job->env to be applied. Returns the exit status, or ends the process itself. */
        int (*run)(void *state, const struct job *job);
};

/* The one symbol of a plug-in. */
extern const struct lang hatchery_language;
#define LANG_SYMBOL "hatchery_language"
