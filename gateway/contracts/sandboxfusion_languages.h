/* SandboxFusion's names of languages, and the pool's languages for them. */
#pragma once

#include "proto/base/span.h"

#include <stdbool.h>
#include <stddef.h>

enum fusion_compile {
        FUSION_COMPILE_NONE,   /* the program is started as it is */
        FUSION_COMPILE_STAGE,  /* a stage of its own, with limits of its own */
        FUSION_COMPILE_INSIDE, /* the run itself compiles; SandboxFusion has a compile_result for it */
};

struct fusion_language {
        const char *theirs;    /* the name in a request */
        const char *ours;      /* the pool's name */
        const char *main_file; /* the name under which the pool stores code */
        const char *aside;     /* the program's name if a file of the request has the name main_file */
        enum fusion_compile compile;
};

/* A name that is not in the table gets the row for all others, with NULL in its members, because the pool may know the
 * name. */
const struct fusion_language *fusion_language_find(struct span theirs);

/* Text that SandboxFusion puts before some programs to make them complete, such as "<?php "; "" for most. */
const char *fusion_language_opening(const struct fusion_language *language, struct span code);

/* The environment variable, as "NAME" and "VALUE", with which a run makes the same checks as in SandboxFusion; false:
 * none is needed. SandboxFusion switches Java's assertions on, and test programs depend on them. */
bool fusion_language_variable(const struct fusion_language *language, struct span code, const char **name,
                              const char **value);

/* The line that a runtime prints on standard error because of that variable. */
#define FUSION_JAVA_NOTE "NOTE: Picked up JDK_JAVA_OPTIONS: -ea\n"
