/* Starting programs beside the calling process, with chosen descriptors and fresh signal settings.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* SPAWN_APART: the program gets a session of its own, so that signals to its process group do not reach the process
 * that started it. */
enum spawn_group { SPAWN_APART, SPAWN_WITH_US };

enum { SPAWN_FDS = 4, SPAWN_NULL = -2 };

struct spawn {
        enum spawn_group group;
        const char *folder; /* the program's working directory; NULL: that of this process */
        char *const *argv;  /* the first word is looked up in PATH */
        char *const *env;   /* NULL: the environment of this process */
        int fd[SPAWN_FDS];  /* become the program's descriptors 0 to 3; -1: not changed; SPAWN_NULL: /dev/null */
};

/* Starts a program. All descriptors but 0 to 3 must be close-on-exec. 0, or a negative errno. */
int spawn_program(pid_t *pid, const struct spawn *s);

/* Replaces this process by the program, which is looked up in PATH. Returns only on failure, with a negative errno.
 * libc's functions that search PATH are not used: they hand a file that is not a program to a shell, and so would run a
 * library as a script. */
int spawn_become(char *const *argv, char *const *env);

/* True if program is the path of a file that may be executed, or a name that is found in PATH. */
bool spawn_can_start(const char *program);

/* Reads until the end, or until size - 1 bytes are there, and adds a NUL. Returns how many, or -ETIMEDOUT; text then
 * holds the bytes that came. */
int spawn_read(int fd, char *text, size_t size, int patience_ms);

/* Waits for one byte, and returns it, or -EPIPE at end of file, or -ETIMEDOUT. patience_ms -1: waits for ever. */
int spawn_wait_byte(int fd, int patience_ms);

/* Kills the process and the group that it leads, if it still runs, waits for it, and returns its wait status. */
int spawn_end(pid_t pid);

/* From here on this process ignores signals that can be caught; it can still wait for children. */
void spawn_ignore_signals(void);

/* Sets signals as a shell leaves them for a program: all to the default, none blocked. */
void spawn_reset_signals(void);
