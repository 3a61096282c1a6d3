/* The zygote's own root: a small tmpfs that the zygote moves into once, before the interpreter starts. It has two
 * purposes. The interpreter sees the same paths before and after the fork, and none of the host's mounts. And every
 * sandbox's root has this tmpfs as a read-only layer. It holds /usr and the language's other directories of the host,
 * read-only, and copies of the few files of /etc that programs need to start. It holds nothing else of the host. */
#pragma once

#include "proto/base/err.h"
#include "zygote/base/paths.h"

/* Leaves the host's mount tree for good. Call it in the zygote, as root, with one thread. Descriptors that are open
 * already stay valid. paths: directories besides /usr, or NULL. */
int root_enter(const struct paths *paths, struct err *e);

/* Call it after root_enter. Returns a descriptor of a mount namespace that holds one read-only directory, with an empty
 * directory in it as mount point. */
int root_empty_namespace(struct err *e);
