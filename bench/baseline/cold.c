/* Starting cold interpreters, one or several at a time: see cold.h. */
#include "bench/baseline/cold.h"

#include "bench/base/clock.h"
#include "proto/base/own.h"
#include "proto/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

enum { COLD_MAX = 256, OUT_MAX = 4096, LOST_MS = 60000 };

struct lane {
        pid_t pid; /* 0: not running */
        int in;    /* read end of its standard output */
        uint64_t began_ns;
        size_t len;
        char out[OUT_MAX];
};

/* In a session of its own, like the forks and the sandboxes. */
static int start(struct lane *l, const struct program *p, int out)
{
        const char *const python[] = { WORKLOAD_INTERPRETER, "-I", "-c", p->code, NULL };
        const char *const *args = p->w->cold && p->folder ? p->w->cold : python;
        const char *const environment[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", NULL };
        const struct spawn how = {
                .group = SPAWN_APART,
                .folder = p->folder,
                .argv = (char *const *)args,
                .env = (char *const *)environment,
                .fd = { SPAWN_NULL, out, -1, -1 },
        };
        return spawn_program(&l->pid, &how);
}

static int lane_start(struct lane *l, const struct program *p, struct err *e)
{
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0)
                return err_set(e, errno, "make a pipe");
        l->in = ends[0];
        l->len = 0;
        l->began_ns = clock_now();
        int r = start(l, p, ends[1]);
        close(ends[1]);
        if (r < 0) {
                l->pid = 0;
                own_close(&l->in);
                l->in = -1;
                return err_set(e, -r, "start %s", p->folder && p->w->cold ? p->w->cold[0] : WORKLOAD_INTERPRETER);
        }
        return 0;
}

static void lane_end(struct lane *l, const struct program *p, const struct window *window, struct sample *s)
{
        int status = 0;
        close(l->in); /* first: this ends a program that still writes, which would never end otherwise */
        l->in = -1;
        while (waitpid(l->pid, &status, 0) < 0 && errno == EINTR)
                ;
        uint64_t ended = clock_now();
        l->pid = 0;
        if (!program_ended(p, status) || !program_answered(p, l->out, l->len))
                sample_wrong(s, "the command's wait status was %d, its output %zu bytes", status, l->len);
        else
                sample_right(s, window, l->began_ns, ended);
}

/* Reads the output that is there. True at the end of the output, or if it is longer than a right answer. */
static bool lane_read(struct lane *l)
{
        ssize_t n = read(l->in, l->out + l->len, sizeof l->out - l->len);
        if (n < 0)
                return errno != EINTR;
        l->len += (size_t)n;
        return n == 0;
}

static int poll_round(struct lane *lanes, unsigned n, const struct program *p, const struct window *window,
                      struct sample *s, struct err *e)
{
        struct pollfd polled[COLD_MAX];
        for (unsigned i = 0; i < n; i++)
                polled[i] = (struct pollfd){ .fd = lanes[i].in, .events = POLLIN };
        int ready = poll(polled, n, LOST_MS);
        if (ready == 0)
                return err_say(e, ETIMEDOUT, "a command says nothing for %d s", LOST_MS / 1000);
        if (ready < 0)
                return errno == EINTR ? 0 : err_set(e, errno, "wait for a command");
        for (unsigned i = 0; i < n; i++) {
                if (polled[i].fd < 0 || !polled[i].revents || !lane_read(&lanes[i]))
                        continue;
                lane_end(&lanes[i], p, window, s);
                int r = clock_now() < window->end_ns ? lane_start(&lanes[i], p, e) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

static unsigned count_running(const struct lane *lanes, unsigned n)
{
        unsigned running = 0;
        for (unsigned i = 0; i < n; i++)
                running += lanes[i].pid > 0;
        return running;
}

int cold_window(struct sample *s, const struct program *p, unsigned n, const struct window *window, struct err *e)
{
        if (n > COLD_MAX)
                n = COLD_MAX;
        OWN_MEM struct lane *lanes = calloc(n, sizeof *lanes);
        if (!lanes)
                return err_set(e, ENOMEM, "hold %u processes", n);
        int r = 0;
        for (unsigned i = 0; i < n; i++)
                lanes[i].in = -1;
        for (unsigned i = 0; r == 0 && i < n; i++)
                r = lane_start(&lanes[i], p, e);
        while (r == 0 && count_running(lanes, n) > 0)
                r = poll_round(lanes, n, p, window, s, e);
        for (unsigned i = 0; i < n; i++) { /* after a failure */
                if (lanes[i].pid <= 0)
                        continue;
                kill(lanes[i].pid, SIGKILL);
                waitpid(lanes[i].pid, NULL, 0);
                close(lanes[i].in);
        }
        s->seconds = (double)(window->end_ns - window->start_ns) / (double)CLOCK_SECOND;
        return r;
}

int cold_once(const struct program *p, char *out, size_t size, size_t *len, int *status, struct err *e)
{
        struct lane l = { .in = -1 };
        int r = lane_start(&l, p, e);
        if (r < 0)
                return r;
        while (!lane_read(&l))
                ;
        close(l.in);
        while (waitpid(l.pid, status, 0) < 0 && errno == EINTR)
                ;
        if (l.len >= size)
                return err_say(e, EMSGSIZE, "a command says too much");
        memcpy(out, l.out, l.len);
        *len = l.len;
        return 0;
}

static int paced_run(struct sample *s, const struct program *p, struct err *e)
{
        struct lane l = { .in = -1 };
        int r = lane_start(&l, p, e);
        if (r < 0)
                return r;
        while (!lane_read(&l))
                ;
        lane_end(&l, p, &sample_always, s);
        return 0;
}

int cold_paced(struct sample *s, const struct program *p, const struct pace *pace, struct err *e)
{
        int r = 0;
        struct sample warm = { 0 };
        for (uint32_t i = 0; r == 0 && i < pace->warm_runs; i++) {
                clock_sleep(pace->pause_ns);
                r = paced_run(&warm, p, e);
        }
        uint64_t start = clock_now();
        for (uint32_t i = 0; r == 0 && i < pace->runs; i++) {
                clock_sleep(pace->pause_ns);
                r = paced_run(s, p, e);
        }
        s->seconds = (double)(clock_now() - start) / (double)CLOCK_SECOND;
        if (warm.wrong > 0)
                sample_wrong(s, "while warming up: %s", warm.first_wrong);
        return r;
}
