/* The zygote's own root: a small tmpfs that the zygote moves into once, before the interpreter starts. It serves two
 * ends. The interpreter sees the same paths before and after the fork, and none of the host's mounts. And the root of
 * every sandbox shows it as a layer, read-only. It holds nothing of the host but /usr and the language's other
 * directories, read-only, and copies of the few files of /etc that programs need to start. */
#pragma once

#include "proto/base/err.h"
#include "zygote/base/paths.h"

/* In the zygote, root, single-threaded: leaves the host's mount tree for good. Descriptors that were opened before stay
 * good. paths: directories besides /usr, or NULL. */
int root_enter(const struct paths *paths, struct err *e);

/* To be called after root_enter. Gives a descriptor of a mount namespace that holds one read-only directory, with an
 * empty directory in it as mount point. */
int root_empty_namespace(struct err *e);
