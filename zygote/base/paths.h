/* Directories of the host that the sandboxes of one language see besides /usr, read-only: third-party packages,
 * settings of a runtime below /etc, prepared files of a language. In the zygote each is a bind mount at the same place.
 * In a sandbox it is an overlay of its own, as /usr is, for the same reasons (see mounts.c). */
#pragma once

#include "proto/base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { PATHS_MAX = 16 };

struct path {
        const char *host;   /* borrowed */
        const char *inside; /* borrowed; absolute */
};

struct paths {
        struct path at[PATHS_MAX];
        size_t n;
};

/* -EINVAL with a sentence for a path that can't be shown: not absolute, with "..", with a character that is special to
 * an overlay (a comma, a colon, a backslash), or in a place where a sandbox has a mount of its own. */
int paths_add(struct paths *p, const char *host, const char *inside, struct err *e);

/* On the host: does the directory hold a file that only its owner may read? name becomes the name of such a file. */
bool paths_find_closed(const char *directory, char name[NAME_MAX + 1]);

/* In the zygote: makes the mount points and the mounts. root is a descriptor of the new root, which is attached
 * already. */
int paths_attach(const struct paths *p, int root, struct err *e);

/* In the zygote, in its root: makes the links of a language (see lang/lang.h). links may be NULL. */
int paths_link(const char *const *links, struct err *e);
