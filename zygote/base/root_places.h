/* Places in the zygote's root (root.h) that children and inits know, and a program's user in its sandbox. */
#pragma once

#define ROOT_HOME        "/home/sandbox" /* the work directory, and HOME */
#define ROOT_MOUNT_POINT "/mnt"          /* where a sandbox's root is put together, also in the empty namespace */
#define ROOT_EMPTY       "/run/empty"    /* an empty directory of a file system of its own */
#define ROOT_BESIDE      "/run/beside"   /* an empty directory of the root's file system, beside the root */

enum { ROOT_UID = 1000, ROOT_GID = 1000 }; /* a program's user and group inside its sandbox: sandbox:sandbox */
