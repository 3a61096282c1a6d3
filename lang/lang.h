/* What Hatchery asks of a language whose interpreter is initialised once in a zygote and then forked. A language is one
 * file that defines `const struct lang hatchery_language`, built as a plug-in of its own (hatchery-lang-NAME.so), so
 * that hatcheryd links no interpreter and a missing one is simply absent. */
#pragma once

#include "proto/err.h"
#include "proto/job.h"

#include <stddef.h>

enum { LANG_ABI = 2 };

struct lang {
        unsigned abi;          /* LANG_ABI */
        const char *name;      /* "python" */
        const char *aliases;   /* "python3 py" */
        const char *main_file; /* what inline code is called: "main.py" */

        /* System calls that its programs get beyond those of zygote/seccomp_table.c, without any condition; ends with
         * NULL, and NULL itself for none. A call that no sandbox may have is refused at the start. Each needs a comment
         * that says what of the runtime fails without it. */
        const char *const *extra_calls;

        /* In the zygote, once, with descriptors 0 to 2 being pipes, so that what the interpreter finds out about its
         * standard streams is also true of a sandbox's. Initialises the interpreter and imports the modules named in
         * preload; a module that is not there is a warning's worth: its name goes to *missing (borrowed from preload),
         * not an error. Writes the version to version. Must leave one thread. */
        int (*warm)(char *const *preload, size_t n_preload, const char **missing, char *version, size_t version_size,
                    struct err *e);

        /* In each child, right after the fork and before anything else of the interpreter: locks, thread state, and
         * every random source that was seeded in the zygote. */
        void (*after_fork)(void);

        /* In each child, inside the finished sandbox, before it reports warm: run something trivial that leaves nothing
         * behind, so that the pages every run dirties are already its own. May be NULL. */
        void (*rehearse)(void);

        /* In each child: run the job as the language's own command would, with the work directory current, descriptors
         * 0 to 2 in place and job->env to be applied. Returns the exit status, or ends the process itself. */
        int (*run)(const struct job *job);
};

/* The one symbol of a plug-in. */
extern const struct lang hatchery_language;
#define LANG_SYMBOL "hatchery_language"
