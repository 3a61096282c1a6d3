/* Starting forkers and collecting their results: see forkers.h. */
#include "bench/baseline/forkers.h"

#include "bench/base/clock.h"
#include "bench/baseline/forker.h"
#include "proto/base/io.h"
#include "proto/base/own.h"
#include "proto/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

/* A forker that sends nothing for so long is taken to hang. It sends nothing while it works, and the longest work, of
 * the option --window, takes 720 s. */
enum { PATIENCE_S = 900 };

struct helper {
        pid_t pid;
        int socket;
};

static int helper_spawn(struct helper *h, const struct forkers *f, int theirs, struct err *e)
{
        const char *const args[] = { f->program, "--forker", f->plugin, f->preload, NULL };
        char *const environment[] = { NULL };
        const struct spawn how = {
                .group = SPAWN_WITH_US,
                .argv = (char *const *)args,
                .env = environment,
                .fd = { -1, -1, -1, theirs },
        };
        int r = spawn_program(&h->pid, &how);
        return r < 0 ? err_set(e, -r, "start a forker") : 0;
}

static int read_reply(struct helper *h, struct err *e)
{
        struct forker_reply reply;
        int r = io_read_all(h->socket, &reply, sizeof reply);
        if (r < 0)
                return err_set(e, -r, "hear from a forker");
        reply.text[sizeof reply.text - 1] = '\0';
        return reply.code != 0 ? err_say(e, reply.code, "a forker: %s", reply.text) : 0;
}

/* Starts it and waits until it is ready: its interpreter is initialised. */
static int helper_start(struct helper *h, const struct forkers *f, struct err *e)
{
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
                return err_set(e, errno, "make a socket pair");
        h->socket = ends[0];
        OWN_FD int theirs = ends[1];
        const struct timeval patience = { .tv_sec = PATIENCE_S };
        if (setsockopt(h->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0)
                return err_set(e, errno, "set a time limit");
        int r = helper_spawn(h, f, theirs, e);
        if (r < 0)
                return r;
        return read_reply(h, e);
}

static int helper_ask(struct helper *h, const struct forker_order *o, struct err *e)
{
        /* Far smaller than the socket's buffer, so it is taken whole or not at all. */
        ssize_t n = send(h->socket, o, sizeof *o, MSG_NOSIGNAL);
        if (n < 0)
                return err_set(e, errno, "order a forker");
        return n == sizeof *o ? 0 : err_say(e, EIO, "a forker took %zd bytes of an order", n);
}

static int helper_collect(struct helper *h, struct sample *into, struct err *e)
{
        struct sample s;
        int r = read_reply(h, e);
        if (r < 0)
                return r;
        r = io_read_all(h->socket, &s, sizeof s);
        if (r < 0)
                return err_set(e, -r, "hear from a forker");
        s.first_wrong[sizeof s.first_wrong - 1] = '\0';
        sample_merge(into, &s);
        return 0;
}

/* Closing the socket ends a forker that waits for orders; after a failure it may be busy, and is killed. */
static void helper_stop(struct helper *h, bool failed)
{
        own_close(&h->socket);
        if (h->pid <= 0)
                return;
        if (failed)
                kill(h->pid, SIGKILL);
        while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

static int work(struct sample *s, struct helper *helpers, unsigned n, const struct forker_order *o, struct err *e)
{
        int r = 0;
        for (unsigned i = 0; r == 0 && i < n; i++)
                r = helper_ask(&helpers[i], o, e);
        for (unsigned i = 0; r == 0 && i < n; i++)
                r = helper_collect(&helpers[i], s, e);
        return r;
}

static int run(struct sample *s, const struct forkers *f, unsigned n, struct forker_order *o, uint64_t warm_ns,
               uint64_t measure_ns, struct err *e)
{
        OWN_MEM struct helper *helpers = calloc(n, sizeof *helpers);
        if (!helpers)
                return err_set(e, ENOMEM, "hold %u forkers", n);
        for (unsigned i = 0; i < n; i++)
                helpers[i].socket = -1;
        int r = 0;
        for (unsigned i = 0; r == 0 && i < n; i++)
                r = helper_start(&helpers[i], f, e);
        if (r == 0 && !o->paced) {
                o->window.start_ns = clock_now() + warm_ns;
                o->window.end_ns = o->window.start_ns + measure_ns;
        }
        if (r == 0)
                r = work(s, helpers, n, o, e);
        for (unsigned i = 0; i < n; i++)
                helper_stop(&helpers[i], r < 0);
        return r;
}

static struct forker_order order_for(const struct forkers_job *job)
{
        return (struct forker_order){ .workload = job->workload, .steps = job->steps, .relayed = job->relayed };
}

int forkers_paced(struct sample *s, const struct forkers *f, const struct forkers_job *job, const struct pace *pace,
                  struct err *e)
{
        struct forker_order order = order_for(job);
        order.paced = 1;
        order.pace = *pace;
        return run(s, f, 1, &order, 0, 0, e);
}

int forkers_window(struct sample *s, const struct forkers *f, const struct forkers_job *job, unsigned n,
                   uint64_t warm_ns, uint64_t measure_ns, struct err *e)
{
        struct forker_order order = order_for(job);
        return run(s, f, n, &order, warm_ns, measure_ns, e);
}
