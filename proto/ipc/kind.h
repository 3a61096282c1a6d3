/* How a language runs its programs. The numbers are those of hatchery.v1.LanguageStatus.Kind. */
#pragma once

#include <stddef.h>

enum kind {
        KIND_FORKED = 1, /* an interpreter initialised in a zygote, and forked */
        KIND_PRESTARTED, /* the real program, started ahead in each sandbox */
        KIND_COMPILED,   /* translated in a sandbox of its own, then run in another */
        KIND_EXEC,       /* a command started at the request */
};

/* "forked", ...; NULL for any other number. */
static inline const char *kind_name(enum kind k)
{
        static const char *const names[] = {
                [KIND_FORKED] = "forked",
                [KIND_PRESTARTED] = "prestarted",
                [KIND_COMPILED] = "compiled",
                [KIND_EXEC] = "exec",
        };
        return k >= KIND_FORKED && k <= KIND_EXEC ? names[k] : NULL;
}
