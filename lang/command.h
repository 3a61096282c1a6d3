/* Languages that are data: every program with a command line. struct lang_command holds the contents of a file
 * NAME.conf. One vtable serves all such languages. */
#pragma once

#include "lang/lang.h"

#include <stdbool.h>
#include <stddef.h>

/* Command lines are lists of words that end with NULL. They are executed without a shell. A word {entry} becomes the
 * name of the file to start. So does {entry-line}, and the file then gets a newline at its end if it has none.
 * {sources} becomes all files of the request whose names end in one of the extensions, and {args} the arguments of the
 * request. A run line without {args} gets them at its end. {entry:js} is the name of the file to start with the
 * extension js in place of its own. {flags} and {libraries} are the compiler's flags of the request; {libraries} has
 * those that begin with -l. A word such as -std=c17 is dropped if one of the flags replaces it. {memory%N} within a
 * word becomes so many percent of the run's memory limit, in MiB. {unbuffered}-x becomes -x for a job that wants
 * standard output unbuffered, and nothing for others; {program}-x becomes -x for a job that has a program to start.
 * {interpreter_args} becomes the words of the request for the interpreter itself; a run line without it gets them after
 * its first word. Programs are found in the language's own PATH, not the request's. */
struct lang_command {
        enum kind kind; /* not KIND_FORKED */
        const char *name;
        const char *aliases; /* separated by spaces */
        const char *main_file;
        char *const *extensions; /* "c", "h": without the dot; ends with NULL */
        char *const *version;    /* prints the version in the first line of either stream */
        char *const *compile;    /* KIND_COMPILED: sources to artifacts. Else NULL */
        char *const *artifacts;  /* KIND_COMPILED: names or patterns of the files that compile makes and run needs */
        char *const *run;        /* may be NULL for KIND_PRESTARTED: then warm is started again */
        char *const *fresh;      /* KIND_PRESTARTED: the command for a job with words for its interpreter. NULL: run */
        char *const *prompt;     /* the language's own prompt; NULL: it has none */
        char *const *warm;       /* KIND_PRESTARTED: the program that waits for a job, see prestart.h. Else NULL */
        uint64_t memory_bytes;   /* the default memory limit of a run; warm is started with it */
        char *const *env;        /* name=value, for all these commands; the request's variables come after these */
        const char *const *extra_calls;
        const char *const *links; /* as in struct lang */
        bool echoes;              /* KIND_PRESTARTED: warm obeys echo_last_expression */
};

/* Makes the vtable for c. Its strings belong to c, which must live as long as the vtable. */
struct lang lang_command_vtable(const struct lang_command *c);
