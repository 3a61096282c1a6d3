/* Starting programs: see spawn.h. */
#include "proto/base/spawn.h"

#include "proto/base/clock.h"
#include "proto/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int set_attributes(posix_spawnattr_t *a, enum spawn_group group)
{
        sigset_t all, none;
        sigfillset(&all);
        sigemptyset(&none);
        int flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | (group == SPAWN_APART ? POSIX_SPAWN_SETSID : 0);
        int r = posix_spawnattr_setsigdefault(a, &all);
        if (r == 0)
                r = posix_spawnattr_setsigmask(a, &none);
        if (r == 0)
                r = posix_spawnattr_setflags(a, (short)flags);
        return r;
}

static int set_actions(posix_spawn_file_actions_t *a, const struct spawn *s)
{
        int r = s->folder ? posix_spawn_file_actions_addchdir_np(a, s->folder) : 0;
        /* This also clears close-on-exec of a descriptor that is in its place already. */
        for (int i = 0; i < SPAWN_FDS && r == 0; i++) {
                if (s->fd[i] == SPAWN_NULL)
                        r = posix_spawn_file_actions_addopen(a, i, "/dev/null", i == 0 ? O_RDONLY : O_WRONLY, 0);
                else if (s->fd[i] >= 0)
                        r = posix_spawn_file_actions_adddup2(a, s->fd[i], i);
        }
        return r;
}

int spawn_program(pid_t *pid, const struct spawn *s)
{
        posix_spawnattr_t attributes;
        posix_spawn_file_actions_t actions;
        int r = posix_spawnattr_init(&attributes);
        if (r != 0)
                return -r;
        r = posix_spawn_file_actions_init(&actions);
        if (r != 0) {
                posix_spawnattr_destroy(&attributes);
                return -r;
        }
        r = set_actions(&actions, s);
        if (r == 0)
                r = set_attributes(&attributes, s->group);
        if (r == 0)
                r = posix_spawnp(pid, s->argv[0], &actions, &attributes, s->argv, s->env ? s->env : environ);
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
        return -r;
}

/* Writes the next place of the path where a program of that name may be, and moves *path on; false at the path's end. A
 * name that is too long, or empty, is in no place. */
static bool next_place(const char **path, const char *name, char place[PATH_MAX])
{
        while (*path) {
                int len = (int)strcspn(*path, ":");
                int n = snprintf(place, PATH_MAX, "%.*s/%s", len, *path, name);
                *path = (*path)[len] ? *path + len + 1 : NULL;
                if (n > 0 && n < PATH_MAX && *name)
                        return true;
        }
        return false;
}

int spawn_become(char *const *argv, char *const *env)
{
        const char *path = getenv("PATH");
        char place[PATH_MAX];
        int error = ENOENT;

        if (strchr(argv[0], '/') || !path) {
                execve(argv[0], argv, env);
                return -errno;
        }
        while (next_place(&path, argv[0], place)) {
                execve(place, argv, env);
                if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
                        return -errno;
                error = errno == EACCES ? EACCES : error;
        }
        return -error;
}

static bool is_program(const char *path)
{
        struct stat st;
        return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

bool spawn_can_start(const char *program)
{
        const char *path = getenv("PATH");
        char place[PATH_MAX];

        if (strchr(program, '/'))
                return is_program(program);
        while (next_place(&path, program, place))
                if (is_program(place))
                        return true;
        return false;
}

/* 1: there is something to read, or the end. */
static int wait_readable(int fd, int64_t deadline_ms)
{
        for (;;) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                int64_t left = deadline_ms < 0 ? -1 : deadline_ms - clock_ms();
                if (deadline_ms >= 0 && left < 0)
                        left = 0;
                int r = poll(&p, 1, (int)left);
                if (r > 0)
                        return 1;
                if (r == 0)
                        return -ETIMEDOUT;
                if (errno != EINTR)
                        return -errno;
        }
}

int spawn_read(int fd, char *text, size_t size, int patience_ms)
{
        int64_t deadline_ms = clock_ms() + patience_ms;
        size_t len = 0;
        int r = 0;
        while (len + 1 < size) {
                r = wait_readable(fd, deadline_ms);
                ssize_t n = r < 0 ? r : io_read(fd, text + len, size - 1 - len);
                if (n < 0)
                        r = (int)n;
                if (n <= 0)
                        break;
                len += (size_t)n;
        }
        text[len] = '\0';
        return r < 0 ? r : (int)len;
}

int spawn_wait_byte(int fd, int patience_ms)
{
        unsigned char byte;
        int r = wait_readable(fd, patience_ms < 0 ? -1 : clock_ms() + patience_ms);
        if (r < 0)
                return r;
        ssize_t n = io_read(fd, &byte, 1);
        /* If the other end closes with our bytes unread, the read fails with a reset. */
        if (n == 0 || n == -ECONNRESET)
                return -EPIPE;
        return n < 0 ? (int)n : byte;
}

int spawn_end(pid_t pid)
{
        int status = 0;
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL); /* the process may not lead a group */
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        return status;
}

static void set_signals(const struct sigaction *action)
{
        for (int s = 1; s < NSIG; s++)
                sigaction(s, action, NULL); /* fails for two signals, which the kernel refuses, and for those of libc */
}

void spawn_ignore_signals(void)
{
        const struct sigaction ignored = { .sa_handler = SIG_IGN }, by_default = { .sa_handler = SIG_DFL };
        set_signals(&ignored);
        sigaction(SIGCHLD, &by_default, NULL); /* if it were ignored, the kernel would reap children unseen */
}

void spawn_reset_signals(void)
{
        sigset_t none;
        const struct sigaction by_default = { .sa_handler = SIG_DFL };
        set_signals(&by_default);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
}
