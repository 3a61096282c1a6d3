/* The mount API of Linux 5.2 and later, by descriptor: Debian 12's glibc has the calls, and this names what it lacks.
 * A mount made this way is attached nowhere until it is moved, so nothing half-made is ever visible. */
#pragma once

#include <stddef.h>

struct fs_option {
        const char *key;
        const char *value; /* NULL: a flag */
};

/* Makes a new file system instance and mounts it detached, with MOUNT_ATTR_* flags. Returns its descriptor (O_PATH,
 * close-on-exec), or a negative errno. */
int newmount_make(const char *type, const struct fs_option *options, size_t n, unsigned attributes);

/* A detached copy of the mount at path below dir (an empty path: of dir itself), or a negative errno. The second
 * function also copies the mounts below it. */
int newmount_clone(int dir, const char *path);
int newmount_clone_all(int dir, const char *path);

/* A new /proc for the caller's pid namespace, detached: subset=pid leaves out everything that is not a process: no
 * sysctl, no kcore, no host-wide figures. Read-only, since a write to autogroup shows in other sandboxes: the kernel
 * allows one in 100 ms on the whole machine. */
int newmount_proc(void);

/* The same with nothing left out. The zygote closes it before a program sees it (facts.h). */
int newmount_whole_proc(void);

/* Attaches a detached mount to path below dir. */
int newmount_attach(int mount, int dir, const char *path);

/* Changes options of the instance behind a mount's root descriptor. */
int newmount_reconfigure(int mount, const struct fs_option *options, size_t n);
