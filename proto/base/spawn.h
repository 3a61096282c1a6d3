/* Starting programs beside the calling process, with chosen descriptors and fresh signal settings.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Apart: in a session of its own, so that signals to its process group do not reach the starter. */
enum spawn_group { SPAWN_APART, SPAWN_WITH_US };

enum { SPAWN_FDS = 4, SPAWN_NULL = -2 };

struct spawn {
        enum spawn_group group;
        const char *folder; /* where it starts; NULL: where this process is */
        char *const *argv;  /* the first word is looked up in PATH */
        char *const *env;   /* NULL: this process's own */
        int fd[SPAWN_FDS];  /* become 0 to 3 of the program; -1: stays as it is; SPAWN_NULL: /dev/null */
};

/* All descriptors but those must be close-on-exec. 0, or a negative errno. */
int spawn_program(pid_t *pid, const struct spawn *s);

/* Becomes the program, which is looked up in PATH. Returns only on failure, a negative errno. libc's own functions that
 * search PATH hand a file that is no program to a shell: they would run a library as a script. */
int spawn_become(char *const *argv, char *const *env);

/* Whether a file that may be executed is at that path, or is found in PATH by that name. */
bool spawn_can_start(const char *program);

/* Reads until the end, or until size - 1 bytes are there, and adds a NUL. Returns how many, or -ETIMEDOUT; text then
 * holds the bytes that came. */
int spawn_read(int fd, char *text, size_t size, int patience_ms);

/* One byte, or -EPIPE at the end, or -ETIMEDOUT; patience_ms -1: for ever. */
int spawn_wait_byte(int fd, int patience_ms);

/* Kills the process and the group that it leads, if it still runs, waits for it, and returns its wait status. */
int spawn_end(pid_t pid);

/* From here on this process ignores signals that can be caught; it can still wait for children. */
void spawn_ignore_signals(void);

/* Sets signals as a shell leaves them for a program: all to the default, none blocked. */
void spawn_reset_signals(void);
