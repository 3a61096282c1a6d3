/* Prestarted programs: see prestart.h. */
#include "lang/prestart.h"

#include "lang/words.h"
#include "proto/base/io.h"
#include "proto/base/own.h"
#include "proto/base/spawn.h"
#include "proto/ipc/job.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* The only bytes of the protocol. A program that sends another byte does not get the job. */
enum { READY = 'R', GO = 'G', START = 'S', REFUSED = 'C' };
enum { LAST_WORDS_SIZE = 4096, WORD_SIZE = 150 };

/* These times are only a last resort. The zygote notices a sandbox that does not come up; it counts the processor time
 * that the sandbox was given, so a loaded machine is no reason to give up (zygote/tenant_overdue.c). The pool notices a
 * zygote that does not say hello. */
enum { PATIENCE_MS = 450000, TRY_PATIENCE_MS = 100000 };

static const int own_streams[3] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };

/* The program's side of the socket is its descriptor 3. */
static int start(struct prestart *p, enum spawn_group group, char *const *warm, char *const *variables,
                 const int streams[3])
{
        static char job[] = "HATCHERY_JOB=3";
        OWN_MEM char **base = words_environment(environ, variables);
        OWN_MEM char **env = base ? words_environment(base, (char *[]){ job, NULL }) : NULL;
        int ends[2];
        if (!env)
                return -ENOMEM;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
                return -errno;
        const struct spawn how = {
                .group = group,
                .argv = warm,
                .env = env,
                .fd = { streams[0], streams[1], streams[2], ends[1] },
        };
        int r = spawn_program(&p->pid, &how);
        close(ends[1]);
        if (r < 0) {
                close(ends[0]);
                return r;
        }
        p->sock = ends[0];
        return 0;
}

static int wait_ready(const struct prestart *p, int patience_ms)
{
        int r = spawn_wait_byte(p->sock, patience_ms);
        return r == READY ? 0 : r < 0 ? r : -EPROTO;
}

/* Ends the program, and returns its wait status. The socket is closed only when the program is dead. Otherwise a
 * program that waits for its job would see the socket's end, and print a complaint on the run's standard streams. */
static int end(struct prestart *p)
{
        int status = spawn_end(p->pid);
        close(p->sock);
        *p = (struct prestart){ .sock = -1 };
        return status;
}

void prestart_end(struct prestart *p)
{
        end(p);
}

/* The last line that is not empty. */
static const char *last_line(char *text)
{
        size_t len = strlen(text);
        while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
                text[--len] = '\0';
        const char *line = strrchr(text, '\n');
        return line ? line + 1 : text;
}

/* In a sandbox a prestarted program dies with the sandbox. In the zygote only these words ensure that it dies: they tie
 * the program to its parent's life, by a command that every Debian has. */
static char **tied(char *const *warm)
{
        static const char *const tie[] = { "setpriv", "--pdeathsig", "KILL" };
        enum { N_TIE = sizeof tie / sizeof tie[0] };
        size_t n = 0;
        while (warm[n])
                n++;
        char **words = calloc(N_TIE + n + 1, sizeof *words);
        for (size_t i = 0; words && i < N_TIE + n; i++)
                words[i] = i < N_TIE ? (char *)(uintptr_t)tie[i] : warm[i - N_TIE]; /* exec writes to neither */
        return words;
}

int prestart_try(char *const *warm, struct err *e)
{
        OWN_MEM char **tied_line = tied(warm);
        if (!tied_line)
                return err_set(e, ENOMEM, "starting %s", warm[0]);
        struct prestart p = { .sock = -1 };
        char *const no_variables[] = { NULL };
        char words[LAST_WORDS_SIZE] = "";
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                return err_set(e, errno, "a pipe");
        OWN_FD int from = ends[0];
        OWN_FD int to = ends[1];
        OWN_FD int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        int r = start(&p, SPAWN_APART, tied_line, no_variables, (int[3]){ null, to, to });
        if (r < 0)
                return err_set(e, -r, "starting %s", warm[0]);
        own_close(&to);
        to = -1;
        r = wait_ready(&p, TRY_PATIENCE_MS);
        prestart_end(&p);
        if (r == 0)
                return 0;
        spawn_read(from, words, sizeof words, 0);
        return err_say(e, EIO, "%s %s: %.*s", warm[0], r == -ETIMEDOUT ? "is not ready in time" : "ended early",
                       WORD_SIZE, last_line(words));
}

int prestart_start(struct prestart *p, char *const *warm)
{
        char *const no_variables[] = { NULL };
        int r = start(p, SPAWN_WITH_US, warm, no_variables, own_streams);
        if (r < 0)
                return r;
        r = wait_ready(p, PATIENCE_MS);
        if (r < 0)
                prestart_end(p);
        return r;
}

/* ---------------------------------------------------------------- the job */

/* Writes a string with its NUL; returns its length. If at is NULL, it only returns the length. */
static size_t put(char *at, const char *text)
{
        size_t size = strlen(text) + 1;
        if (at)
                memcpy(at, text, size);
        return size;
}

static const char *words_of_way(const struct job_header *h)
{
        return h->purpose == JOB_RUN_COMPILED ? "compiled" : h->echo ? "echo" : "";
}

static size_t put_job(char *frame, const struct job *job)
{
        const struct job_header *h = &job->header;
        char n_args[16];
        snprintf(n_args, sizeof n_args, "%u", h->n_args);
        const char *const head[] = { job->entry, words_of_way(h), h->merge_stderr ? "merge" : "", n_args };
        size_t len = 0;
        for (size_t i = 0; i < sizeof head / sizeof head[0]; i++)
                len += put(frame ? frame + len : NULL, head[i]);
        for (char **arg = job->args; *arg; arg++)
                len += put(frame ? frame + len : NULL, *arg);
        for (char **variable = job->env; *variable; variable++)
                len += put(frame ? frame + len : NULL, *variable);
        return len;
}

static int send_job(int sock, const struct job *job)
{
        size_t len = put_job(NULL, job);
        OWN_MEM char *frame = malloc(sizeof(uint32_t) + len);
        if (!frame || len > UINT32_MAX)
                return -ENOMEM;
        uint32_t length = htonl((uint32_t)len);
        memcpy(frame, &length, sizeof length);
        put_job(frame + sizeof length, job);
        return io_send_all(sock, frame, sizeof length + len);
}

/* The limit of open files came with the job. The kernel keeps it per process, so the running program does not get it by
 * itself. */
static int share_limits(pid_t pid)
{
        struct rlimit files;
        if (getrlimit(RLIMIT_NOFILE, &files) < 0 || prlimit(pid, RLIMIT_NOFILE, &files, NULL) < 0)
                return -errno;
        return 0;
}

/* ---------------------------------------------------------------- its end */

static int wait_for(pid_t pid)
{
        int status = 0;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        return status;
}

/* Returns the exit status, or dies the same death. There is no core dump: the sandbox's limit forbids it
 * (zygote/sandbox/limits.c). */
static int mirror(int status)
{
        if (!WIFSIGNALED(status))
                return WEXITSTATUS(status);
        spawn_reset_signals();
        kill(getpid(), WTERMSIG(status));
        return 128 + WTERMSIG(status);
}

int prestart_start_fresh(struct prestart *p, char *const *line, const struct job *job)
{
        /* The request's variables may name code that the program loads at its start. */
        int r = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
        if (r == 0)
                r = start(p, SPAWN_WITH_US, line, job->env, own_streams);
        if (r < 0)
                return r;
        r = wait_ready(p, PATIENCE_MS);
        if (r == 0)
                return 0;
        int status = end(p);
        if (WIFSIGNALED(status))
                _exit(mirror(status)); /* for example, the program had too little memory to start */
        return r;
}

int prestart_offer(struct prestart *p, const struct job *job)
{
        if (p->pid == 0)
                return 0;
        /* From here on the prestarted program reads the client's program, and becomes it. This process reports the end
         * of both, so neither may look into it or write to it. If the job is not taken, an exec ends this
         * protection. */
        int r = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : share_limits(p->pid);
        bool sent = r == 0 && send_job(p->sock, job) == 0;
        int answer = sent ? spawn_wait_byte(p->sock, -1) : -EPIPE;
        if (answer == GO) {
                p->taken = true;
                return 0;
        }
        if (sent && (answer == REFUSED || answer == -EPIPE)) {
                int status = wait_for(p->pid);
                if (answer == REFUSED && !WIFSIGNALED(status))
                        return WEXITSTATUS(status) ? WEXITSTATUS(status) : 1;
                if (WIFSIGNALED(status))
                        _exit(mirror(status)); /* out of memory, or another end of a compiler */
                p->pid = 0;
                return 0;
        }
        prestart_end(p);
        return 0;
}

int prestart_follow(struct prestart *p)
{
        char go = START;
        spawn_ignore_signals();       /* they are for the program, which is in this process's group */
        io_send_all(p->sock, &go, 1); /* a failure means that the program is dead: its end counts */
        close(p->sock);
        /* Only the program may hold the streams: one that it closes must be closed. */
        for (int fd = 0; fd < 3; fd++)
                close(fd);
        return mirror(wait_for(p->pid));
}
