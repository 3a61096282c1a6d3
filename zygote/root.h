/* The zygote's own root: a small tmpfs that it moves into once, before the interpreter starts. It is two things at
 * once. It is the world as the interpreter will see it (same paths before and after the fork), with little else, so
 * that nothing of the host's mounts is near. And it is the layer that the root of every sandbox shows, read-only.
 * Nothing of the host is in it but /usr and what the language needs besides, read-only, and copies of the few files of
 * /etc that programs need to start. */
#pragma once

#include "proto/base/err.h"
#include "zygote/base/paths.h"

/* In the zygote, root, single-threaded: leaves the host's mount tree for good. Descriptors opened before stay good.
 * paths: what is seen besides /usr, or NULL. */
int root_enter(const struct paths *paths, struct err *e);

/* After that: a descriptor of a mount namespace that holds nothing but an empty directory, read-only, with an empty one
 * in it as mount point. */
int root_empty_namespace(struct err *e);
