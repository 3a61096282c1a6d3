/* Asking a peer that is a program: it is started for each run, its two outputs are read to their end, and it is reaped;
 * the commands are in commands.c. */
#include "bench/base/clock.h"
#include "bench/peers/commands.h"
#include "bench/peers/ways.h"
#include "proto/base/own.h"
#include "proto/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

enum { OUT_MAX = 4096, LOST_MS = 60000 };

struct stream {
        int fd; /* read end; -1: at its end */
        size_t len;
        char data[OUT_MAX];
};

struct process {
        struct peers_commands commands;
        bool half_done; /* a run has begun and not ended */
        int status;
        struct stream out, err;
};

/* ---------------------------------------------------------------- one command */

static int start(pid_t *pid, const struct peers_argv *argv, int out, int err)
{
        const char *const environment[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                            "LANG=C.UTF-8", NULL };
        const struct spawn how = {
                .group = SPAWN_APART, /* like the forks and the sandboxes */
                .argv = (char *const *)argv->arg,
                .env = (char *const *)environment,
                .fd = { SPAWN_NULL, out, err, -1 },
        };
        return spawn_program(pid, &how);
}

/* Reads the bytes that are there; ends the stream at its end, or if it is longer than a right answer. */
static void stream_read(struct stream *s)
{
        ssize_t n = read(s->fd, s->data + s->len, sizeof s->data - s->len);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return;
        s->len += n > 0 ? (size_t)n : 0;
        if (n > 0 && s->len < sizeof s->data)
                return;
        own_close(&s->fd);
        s->fd = -1;
}

/* False if the peer is silent for so long that it counts as lost. */
static bool drain(struct stream *out, struct stream *err)
{
        while (out->fd >= 0 || err->fd >= 0) {
                struct pollfd p[] = { { .fd = out->fd, .events = POLLIN }, { .fd = err->fd, .events = POLLIN } };
                int ready = poll(p, 2, LOST_MS);
                if (ready == 0)
                        return false;
                if (ready < 0 && errno != EINTR)
                        return false;
                if (ready > 0 && p[0].revents)
                        stream_read(out);
                if (ready > 0 && p[1].revents)
                        stream_read(err);
        }
        return true;
}

/* Runs one command to its end. Its output and its wait status are in p. */
static int run_command(struct process *p, const struct peers_argv *argv, struct err *e)
{
        int out[2], err[2];
        if (pipe2(out, O_CLOEXEC) < 0)
                return err_set(e, errno, "make a pipe");
        OWN_FD int out_end = out[1];
        p->out = (struct stream){ .fd = out[0] };
        p->err = (struct stream){ .fd = -1 };
        if (pipe2(err, O_CLOEXEC) < 0) {
                own_close(&p->out.fd);
                return err_set(e, errno, "make a pipe");
        }
        OWN_FD int err_end = err[1];
        p->err.fd = err[0];

        pid_t pid = 0;
        int r = start(&pid, argv, out_end, err_end);
        close(own_steal_fd(&out_end));
        close(own_steal_fd(&err_end));
        bool heard = r == 0 && drain(&p->out, &p->err);
        if (r == 0 && !heard)
                kill(pid, SIGKILL);
        own_close(&p->out.fd);
        own_close(&p->err.fd);
        if (r < 0)
                return err_set(e, -r, "start %s", argv->arg[0]);
        while (waitpid(pid, &p->status, 0) < 0)
                if (errno != EINTR)
                        return err_set(e, errno, "wait for %s", argv->arg[0]);
        return heard ? 0 : err_say(e, ETIMEDOUT, "%s says nothing for %d s", argv->arg[0], LOST_MS / 1000);
}

static void tell_status(const struct process *p, const char *what, struct peers_verdict *v)
{
        const char *end = memchr(p->err.data, '\n', p->err.len);
        size_t words = end ? (size_t)(end - p->err.data) : p->err.len;
        peers_wrong(v, "%swait status %d, %zu bytes of output; it said: %.*s", what, p->status, p->out.len, (int)words,
                    p->err.data);
}

/* ---------------------------------------------------------------- the way to ask a program */

/* crun refuses control groups of version 1 while it sees a mount of version 2 beside them, such as systemd's. So the
 * lane's thread and its children have mounts of their own, without the mount of version 2. */
static int hide_second_cgroup(struct err *e)
{
        FILE *table = setmntent("/proc/self/mounts", "re");
        if (!table)
                return err_set(e, errno, "read the mounts");
        bool first = false, second = false;
        char line[PEERS_PATH_SIZE], path[PEERS_PATH_SIZE];
        struct mntent m;
        while (getmntent_r(table, &m, line, sizeof line)) {
                first = first || strcmp(m.mnt_type, "cgroup") == 0;
                if (strcmp(m.mnt_type, "cgroup2") == 0) {
                        second = true;
                        snprintf(path, sizeof path, "%s", m.mnt_dir);
                }
        }
        endmntent(table);
        if (!first || !second)
                return 0;
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return err_set(e, errno, "give crun mounts of its own");
        return umount2(path, MNT_DETACH) < 0 ? err_set(e, errno, "hide %s from crun", path) : 0;
}

static int process_open(struct peers_lane *lane, struct err *e)
{
        struct process *p = calloc(1, sizeof *p);
        if (!p)
                return err_set(e, ENOMEM, "hold a process");
        lane->state = p;
        peers_commands_fill(&p->commands, lane);
        return lane->id == PEER_CRUN ? hide_second_cgroup(e) : 0;
}

static int process_run(struct peers_lane *lane, struct peers_verdict *v, struct err *e)
{
        struct process *p = lane->state;
        const struct peers_commands *c = &p->commands;
        p->half_done = true;
        int r = c->before.n > 0 ? run_command(p, &c->before, e) : 0;
        if (r == 0 && c->before.n > 0 && p->status != 0)
                tell_status(p, "before the run: ", v);
        if (r == 0 && v->right) {
                r = run_command(p, &c->run, e);
                v->ended_ns = clock_now();
                if (r == 0 && (!program_ended(lane->program, p->status) || p->err.len > 0 ||
                               !program_answered(lane->program, p->out.data, p->out.len)))
                        tell_status(p, "", v);
        }
        if (r == 0 && c->after.n > 0) {
                r = run_command(p, &c->after, e);
                if (r == 0 && v->right && p->status != 0)
                        tell_status(p, "after the run: ", v);
        }
        p->half_done = r < 0;
        return r;
}

static void process_close(struct peers_lane *lane)
{
        struct process *p = lane->state;
        struct err ignored; /* the run's own failure is reported */
        if (p && p->half_done && p->commands.undo.n > 0)
                run_command(p, &p->commands.undo, &ignored);
        free(p);
        lane->state = NULL;
}

const struct peers_way peers_process = { process_open, process_run, process_close };
