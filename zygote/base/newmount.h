/* The mount API of Linux 5.2 and later, by descriptor.
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

/* A new /proc for the caller's pid namespace, detached. The option subset=pid leaves out everything that is not a
 * process: sysctl, kcore, figures of the whole host. The mount is read-only, because other sandboxes notice a write to
 * a process's autogroup: the kernel allows one such write in 100 ms on the whole machine. */
int newmount_proc(void);

/* The same without subset=pid. The zygote sets subset=pid before a program sees this /proc (facts.h). */
int newmount_whole_proc(void);

/* Attaches a detached mount to path below dir. */
int newmount_attach(int mount, int dir, const char *path);

/* Changes options of the instance behind a mount's root descriptor. */
int newmount_reconfigure(int mount, const struct fs_option *options, size_t n);
