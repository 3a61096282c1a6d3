/* Starting, asking and stopping hatcheryd: see server.h. */
#include "bench/base/server.h"

#include "bench/base/clock.h"
#include "proto/base/io.h"
#include "proto/base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { READY_MS = 60000, STOP_SECONDS = 60, CONFIG_MAX = 64 << 10, WARM_RUNNING = 16, CONFIG_SIZE = 256 };

/* Uses fork instead of posix_spawn, to tie the server to its parent: a killed benchmark leaves no server. Returns the
 * read end of the server's standard output. */
static int start(pid_t *pid, const char *program, const char *const args[], const struct group *group, struct err *e)
{
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0)
                return err_set(e, errno, "make a pipe");
        OWN_FD int in = ends[0];
        OWN_FD int out = ends[1];
        *pid = fork();
        if (*pid < 0)
                return err_set(e, errno, "start %s", program);
        if (*pid == 0) {
                if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
                    (group && group_join(group) < 0))
                        _exit(126);
                execv(program, (char *const *)args);
                _exit(127);
        }
        return own_steal_fd(&in);
}

/* Reads the first line of the server's output, within READY_MS. */
static int read_line(int fd, char *line, size_t size, struct err *e)
{
        size_t len = 0;
        uint64_t end = clock_now() + READY_MS * (CLOCK_SECOND / 1000);
        for (;;) {
                uint64_t now = clock_now();
                struct pollfd p = { .fd = fd, .events = POLLIN };
                int n = now >= end ? 0 : poll(&p, 1, (int)((end - now) / (CLOCK_SECOND / 1000)) + 1);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n == 0)
                        return err_say(e, ETIMEDOUT, "hatcheryd is not ready after %d s: see its messages",
                                       READY_MS / 1000);
                ssize_t got = n < 0 ? -1 : read(fd, line + len, size - 1 - len);
                if (got < 0)
                        return err_set(e, errno, "read what hatcheryd says");
                len += (size_t)got;
                line[len] = '\0';
                char *newline = strchr(line, '\n');
                if (newline) {
                        *newline = '\0';
                        return 0;
                }
                if (got == 0 || len == size - 1)
                        return err_say(e, EPROTO, "hatcheryd ended before it was ready: see its messages");
        }
}

static int launch(struct server *s, const char *const args[], const struct group *group, struct err *e)
{
        char line[2 * SERVER_ADDRESS_SIZE + 64];
        OWN_FD int in = start(&s->pid, args[0], args, group, e);
        int r = in < 0 ? in : read_line(in, line, sizeof line, e);
        if (r == 0 && (sscanf(line, "ready %255s %255s", s->address, s->http) < 1))
                r = err_say(e, EPROTO, "hatcheryd printed \"%s\" instead of \"ready ADDRESS\"", line);
        if (r < 0)
                server_stop(s, NULL); /* the first error is reported */
        return r;
}

int server_start_grouped(struct server *s, const char *hatcheryd, struct err *e)
{
        const char *const args[] = { hatcheryd, "--listen", "127.0.0.1:0", NULL };
        struct err no_group = { 0 };
        *s = (struct server){ 0 };
        bool grouped = group_make(&s->group, &no_group) == 0;
        snprintf(s->no_group, sizeof s->no_group, "%s", no_group.text);
        return launch(s, args, grouped ? &s->group : NULL, e);
}

static int write_config(struct server *s, const char *text, struct err *e)
{
        snprintf(s->config, sizeof s->config, "/tmp/hatchery-bench-XXXXXX");
        OWN_FD int fd = mkostemp(s->config, O_CLOEXEC);
        if (fd < 0) {
                s->config[0] = '\0';
                return err_set(e, errno, "make a configuration");
        }
        int n = dprintf(fd, "%s", text);
        return n < 0 ? err_set(e, errno, "write a configuration") : 0;
}

int server_start(struct server *s, const char *hatcheryd, const struct server_options *o, struct err *e)
{
        char text[CONFIG_SIZE];
        *s = (struct server){ 0 };
        snprintf(text, sizeof text, "%slanguage %s { }\n", /* the other installed languages are not served */
                 o->http ? "http { listen = { \"127.0.0.1:0\" } }\n" : "", o->language);
        int r = write_config(s, text, e);
        if (r < 0) {
                server_stop(s, NULL);
                return r;
        }
        const char *const args[] = { hatcheryd, "--listen", o->listen, "--config", s->config, NULL };
        r = launch(s, args, NULL, e);
        if (r == 0 && o->http && strncmp(s->http, "http://", 7) != 0) {
                server_stop(s, NULL);
                r = err_say(e, EPROTO, "hatcheryd does not say where it speaks HTTP");
        }
        return r;
}

static int start_own(struct server *s, const char *hatcheryd, const char *language, unsigned warm, unsigned running,
                     struct err *e)
{
        struct err no_group = { 0 };
        char text[CONFIG_SIZE];
        *s = (struct server){ 0 };
        bool grouped = group_make(&s->group, &no_group) == 0;
        snprintf(s->no_group, sizeof s->no_group, "%s", no_group.text);
        /* client_share: all load comes from one address. By default, one client may not use the last quarter of
         * `running`. */
        snprintf(text, sizeof text, "client_share = 100\nlanguage %s {\n        warm = %u\n        running = %u\n}\n",
                 language, warm, running);
        int r = write_config(s, text, e);
        if (r < 0) {
                server_stop(s, NULL);
                return r;
        }
        const char *const args[] = { hatcheryd, "--listen", "127.0.0.1:0", "--config", s->config, NULL };
        return launch(s, args, grouped ? &s->group : NULL, e);
}

int server_start_warm(struct server *s, const char *hatcheryd, const char *language, unsigned warm, struct err *e)
{
        /* Servers that are compared differ only in warm. The default of `running` would depend on the machine. */
        return start_own(s, hatcheryd, language, warm, WARM_RUNNING, e);
}

int server_start_parallel(struct server *s, const char *hatcheryd, const char *language, unsigned programs,
                          struct err *e)
{
        return start_own(s, hatcheryd, language, programs, programs, e);
}

void server_memory(const struct server *s, struct sample_memory *m)
{
        struct err e;
        m->measured = false;
        if (s->group.path[0] == '\0')
                snprintf(m->reason, sizeof m->reason, "%s", s->no_group);
        else if (group_read(&s->group, &m->bytes, &m->kernel_bytes, &e) < 0)
                snprintf(m->reason, sizeof m->reason, "%s", e.text);
        else
                m->measured = true;
}

static int end(struct server *s, struct err *e)
{
        int status = 0;
        pid_t got = 0;
        if (s->pid <= 0)
                return 0;
        pid_t pid = s->pid;
        s->pid = 0;
        kill(pid, SIGTERM);
        for (uint64_t end = clock_now() + STOP_SECONDS * CLOCK_SECOND; got == 0 && clock_now() < end;) {
                got = waitpid(pid, &status, WNOHANG);
                if (got == 0)
                        clock_sleep(CLOCK_SECOND / 100);
        }
        if (got == 0) {
                kill(pid, SIGKILL);
                waitpid(pid, &status, 0);
                return err_say(e, ETIMEDOUT, "hatcheryd did not stop within %d s and was killed", STOP_SECONDS);
        }
        if (got > 0 && status != 0)
                return err_say(e, EIO, "hatcheryd stopped with wait status %d: see its messages", status);
        return got < 0 ? err_set(e, errno, "wait for hatcheryd") : 0;
}

int server_stop(struct server *s, struct err *e)
{
        struct err left = { 0 };
        int r = end(s, e);
        if (s->config[0])
                unlink(s->config);
        s->config[0] = '\0';
        int removed = group_remove(&s->group, &left);
        if (r == 0 && removed < 0 && e)
                *e = left;
        return r < 0 ? r : removed;
}

/* `{ a, b,\n#  c }` becomes `a b c`. */
static int take_list(const char *at, char out[SERVER_PRELOAD_SIZE])
{
        size_t len = 0;
        at += strspn(at, "= \t");
        if (*at++ != '{')
                return -EPROTO;
        while (*at && *at != '}' && len < SERVER_PRELOAD_SIZE - 2) {
                size_t gap = strspn(at, ", \t\n\"#");
                size_t word = strcspn(at + gap, ", \t\n\"}");
                if (word > SERVER_PRELOAD_SIZE - 2 - len)
                        return -EMSGSIZE;
                if (len > 0 && word > 0)
                        out[len++] = ' ';
                memcpy(out + len, at + gap, word);
                len += word;
                at += gap + word;
        }
        out[len] = '\0';
        return *at == '}' ? 0 : -EPROTO;
}

int server_preload(const char *hatcheryd, const char *language, char out[SERVER_PRELOAD_SIZE], struct err *e)
{
        const char *const args[] = { hatcheryd, "--print-config", NULL };
        char section[64];
        size_t len = 0;
        int status = 0;
        pid_t pid = 0;

        OWN_MEM char *text = malloc(CONFIG_MAX + 1);
        if (!text)
                return err_set(e, ENOMEM, "read the configuration");
        OWN_FD int in = start(&pid, hatcheryd, args, NULL, e);
        if (in < 0)
                return in;
        int r = io_drain(in, text, CONFIG_MAX, &len);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (r < 0 || status != 0 || len > CONFIG_MAX)
                return err_say(e, EIO, "%s --print-config failed (wait status %d): build it first", hatcheryd, status);
        text[len] = '\0';

        /* hatcheryd prints the language's section as a comment that shows the default of each setting. */
        snprintf(section, sizeof section, "\n#language %s {", language);
        const char *at = strstr(text, section);
        at = at ? strstr(at, "\n#        preload ") : NULL;
        if (!at || take_list(at + strlen("\n#        preload "), out) < 0)
                return err_say(e, EPROTO, "%s --print-config does not say what %s preloads", hatcheryd, language);
        return 0;
}
