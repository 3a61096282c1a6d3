/* Starting cold interpreters, one or several at a time: see cold.h. */
#include "bench/cold.h"

#include "bench/clock.h"
#include "proto/own.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

enum { COLD_MAX = 256, OUT_MAX = 4096, LOST_MS = 60000 };

struct cold {
        pid_t pid; /* 0: not running */
        int in;    /* read end of its standard output */
        uint64_t began_ns;
        size_t len;
        char out[OUT_MAX];
};

/* A session of its own, as the forks and the sandboxes have. */
static int spawn(struct cold *c, const struct workload *w, int out)
{
        const char *const args[] = { COLD_PYTHON, "-I", "-c", w->code, NULL };
        const char *const environment[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", NULL };
        posix_spawnattr_t attributes;
        posix_spawn_file_actions_t actions;

        int r = posix_spawnattr_init(&attributes);
        if (r != 0)
                return -r;
        r = posix_spawn_file_actions_init(&actions);
        if (r == 0) {
                r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
                if (r == 0)
                        r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
                if (r == 0)
                        r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
                c->began_ns = clock_now();
                if (r == 0)
                        r = posix_spawn(&c->pid, COLD_PYTHON, &actions, &attributes, (char *const *)args,
                                        (char *const *)environment);
                posix_spawn_file_actions_destroy(&actions);
        }
        posix_spawnattr_destroy(&attributes);
        return -r;
}

static int cold_start(struct cold *c, const struct workload *w, struct err *e)
{
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0)
                return err_set(e, errno, "make a pipe");
        c->in = ends[0];
        c->len = 0;
        int r = spawn(c, w, ends[1]);
        close(ends[1]);
        if (r < 0) {
                c->pid = 0;
                own_close(&c->in);
                c->in = -1;
                return err_set(e, -r, "start " COLD_PYTHON);
        }
        return 0;
}

static void cold_end(struct cold *c, const struct workload *w, const struct window *window, struct sample *s)
{
        int status = 0;
        close(c->in); /* first: a program that still writes is ended by it, and not waited for in vain */
        c->in = -1;
        while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
                ;
        uint64_t ended = clock_now();
        c->pid = 0;
        if (status != 0 || !workload_answered(w, c->out, c->len))
                sample_wrong(s, "python3's wait status was %d, its output %zu bytes", status, c->len);
        else
                sample_right(s, window, c->began_ns, ended);
}

/* Reads what there is. True at the end of the output, or where there is more of it than a right answer has. */
static bool cold_read(struct cold *c)
{
        ssize_t n = read(c->in, c->out + c->len, sizeof c->out - c->len);
        if (n < 0)
                return errno != EINTR;
        c->len += (size_t)n;
        return n == 0;
}

static int poll_round(struct cold *colds, unsigned n, const struct workload *w, const struct window *window,
                      struct sample *s, struct err *e)
{
        struct pollfd p[COLD_MAX];
        for (unsigned i = 0; i < n; i++)
                p[i] = (struct pollfd){ .fd = colds[i].in, .events = POLLIN };
        int ready = poll(p, n, LOST_MS);
        if (ready == 0)
                return err_say(e, ETIMEDOUT, "python3 says nothing for %d s", LOST_MS / 1000);
        if (ready < 0)
                return errno == EINTR ? 0 : err_set(e, errno, "wait for python3");
        for (unsigned i = 0; i < n; i++) {
                if (p[i].fd < 0 || !p[i].revents || !cold_read(&colds[i]))
                        continue;
                cold_end(&colds[i], w, window, s);
                int r = clock_now() < window->end_ns ? cold_start(&colds[i], w, e) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

static unsigned count_running(const struct cold *colds, unsigned n)
{
        unsigned running = 0;
        for (unsigned i = 0; i < n; i++)
                running += colds[i].pid > 0;
        return running;
}

int cold_window(struct sample *s, const struct workload *w, unsigned n, const struct window *window, struct err *e)
{
        if (n > COLD_MAX)
                n = COLD_MAX;
        OWN_MEM struct cold *colds = calloc(n, sizeof *colds);
        if (!colds)
                return err_set(e, ENOMEM, "hold %u processes", n);
        int r = 0;
        for (unsigned i = 0; i < n; i++)
                colds[i].in = -1;
        for (unsigned i = 0; r == 0 && i < n; i++)
                r = cold_start(&colds[i], w, e);
        while (r == 0 && count_running(colds, n) > 0)
                r = poll_round(colds, n, w, window, s, e);
        for (unsigned i = 0; i < n; i++) { /* after a failure */
                if (colds[i].pid <= 0)
                        continue;
                kill(colds[i].pid, SIGKILL);
                waitpid(colds[i].pid, NULL, 0);
                close(colds[i].in);
        }
        s->seconds = (double)(window->end_ns - window->start_ns) / (double)CLOCK_SECOND;
        return r;
}

static int paced_run(struct sample *s, const struct workload *w, struct err *e)
{
        struct cold c = { .in = -1 };
        int r = cold_start(&c, w, e);
        if (r < 0)
                return r;
        while (!cold_read(&c))
                ;
        cold_end(&c, w, &sample_always, s);
        return 0;
}

int cold_paced(struct sample *s, const struct workload *w, const struct pace *pace, struct err *e)
{
        int r = 0;
        struct sample warm = { 0 };
        for (uint32_t i = 0; r == 0 && i < pace->warm_runs; i++) {
                clock_sleep(pace->pause_ns);
                r = paced_run(&warm, w, e);
        }
        uint64_t start = clock_now();
        for (uint32_t i = 0; r == 0 && i < pace->runs; i++) {
                clock_sleep(pace->pause_ns);
                r = paced_run(s, w, e);
        }
        s->seconds = (double)(clock_now() - start) / (double)CLOCK_SECOND;
        if (warm.wrong > 0)
                sample_wrong(s, "while warming up: %s", warm.first_wrong);
        return r;
}
