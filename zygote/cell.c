/* A cell: see cell.h. */
#include "zygote/cell.h"

#include "proto/base/own.h"
#include "proto/ipc/channel.h"
#include "zygote/base/root_places.h"
#include "zygote/hidden.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* An init's set-up takes about 1 ms. Two in a row that hang must not make the zygote look dead (pool/link/zygote.c). */
enum { INIT_TIMEOUT_MS = 5000 };

/* In the child. Only descriptors 0 to 2 and the socket pass an exec, and init replaces the former. */
static _Noreturn void exec_init(const struct cell_birth *b)
{
        char name[] = "hatchery-init";
        char *const argv[] = { name, (char *)b->faults, NULL }; /* exec does not write to it */
        char *const env[] = { NULL };
        /* The zygote's signal handlers and mask must not reach init. */
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        /* Moves the program out of the way of INIT_FD first. */
        int program = fcntl(b->program, F_DUPFD_CLOEXEC, INIT_FD + 1);
        int control = fcntl(b->sock, F_DUPFD_CLOEXEC, INIT_FD + 1);
        if (hierarchy_join(b->join) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || program < 0 ||
            dup2(control, INIT_FD) < 0)
                _exit(127);
        syscall(SYS_execveat, program, "", argv, env, AT_EMPTY_PATH);
        _exit(127);
}

int cell_leave_namespace(struct err *e)
{
        OWN_FD int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
        if (own < 0 || setns(own, CLONE_NEWPID) < 0)
                return err_set(e, errno, "the zygote's own pid namespace");
        return 0;
}

/* Called on the first stack (aside.h), which the child runs on until its exec. */
static long give_birth(void *argument)
{
        struct cell_birth *b = argument;
        long pid = syscall(SYS_clone3, &b->args, sizeof b->args);
        if (pid == 0)
                exec_init(b);
        return pid < 0 ? -errno : pid;
}

static int start_init(struct cell *s, const struct cell_maker *maker, struct err *e)
{
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return err_set(e, errno, "a socket pair for init");
        s->init_sock = pair[0];
        OWN_FD int theirs = pair[1];

        struct cell_birth *b = maker->birth;
        *b = (struct cell_birth){
                .args = { .flags = CLONE_NEWPID | CLONE_NEWNET | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
                          .pidfd = (uint64_t)(uintptr_t)&s->init_pidfd,
                          .exit_signal = SIGCHLD },
                .program = maker->init_program,
                .sock = theirs,
                .faults = maker->faults.text,
        };
        memcpy(b->join, maker->inits.join, sizeof b->join);
        if (maker->inits.into >= 0) {
                b->args.flags |= CLONE_INTO_CGROUP;
                b->args.cgroup = (unsigned)maker->inits.into;
        }
        int r = cell_leave_namespace(e);
        if (r < 0)
                return r;
        long pid = aside_leave(maker->aside, give_birth, b);
        explicit_bzero(b, sizeof *b);
        if (pid < 0)
                return err_set(e, (int)-pid, "clone of init");
        s->init_pid = (pid_t)pid;
        return 0;
}

static int expect(struct cell *s, enum init_kind kind, int *fd, struct err *e)
{
        struct init_packet p;
        size_t n_fds = 0;
        struct pollfd wait = { .fd = s->init_sock, .events = POLLIN };
        if (poll(&wait, 1, INIT_TIMEOUT_MS) != 1)
                return err_set(e, ETIMEDOUT, "init's set-up");
        int r = channel_recv(s->init_sock, &p, sizeof p, fd, fd ? 1 : 0, &n_fds, e);
        if (r < 0)
                return r;
        if (r == 0)
                return err_say(e, EPIPE, "init died in its set-up; is hatchery-init beside hatcheryd and static?");
        if (p.kind == INIT_FAILED)
                return err_set(e, err_told(p.error), "%.32s", p.step);
        if (p.kind != (uint32_t)kind || n_fds != (fd ? 1u : 0u))
                return err_say(e, EPROTO, "init sent a packet of kind %u, and kind %u was awaited", p.kind,
                               (unsigned)kind);
        return 0;
}

static int write_map(pid_t pid, const char *file, uint32_t host_id, uint32_t inner_id, struct err *e)
{
        char path[64], map[64];
        snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
        int len = snprintf(map, sizeof map, "0 %u 1\n%u %u 1\n", host_id - 1, inner_id, host_id);
        OWN_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, map, (size_t)len) != len)
                return err_set(e, errno, "write %s", path);
        return 0;
}

static int open_namespace(const struct cell *s, const char *name, int *fd, struct err *e)
{
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)s->init_pid, name);
        *fd = open(path, O_RDONLY | O_CLOEXEC);
        return *fd < 0 ? err_set(e, errno, "open %s", path) : 0;
}

static int watch_leftovers(struct cell *s, struct err *e)
{
        int kept[LEFTOVER_KEPT] = { s->pid_ns, s->user_ns, s->net_ns };
        memcpy(kept + LEFTOVER_KEPT - FACTS_FILES, s->facts.fd, sizeof s->facts.fd);
        return leftover_open(&s->leftover, s->init_pid, s->proc, kept, e);
}

static int set_up(struct cell *s, const struct cell_maker *maker, struct err *e)
{
        int r = start_init(s, maker, e);
        if (r == 0)
                r = expect(s, INIT_PROC, &s->proc, e);
        if (r == 0)
                r = facts_open(&s->facts, &maker->facts, s->number, s->proc, e);
        if (r == 0)
                r = expect(s, INIT_UNSHARED, NULL, e);
        if (r == 0)
                r = write_map(s->init_pid, "uid_map", s->host_uid, ROOT_UID, e);
        if (r == 0)
                r = write_map(s->init_pid, "gid_map", s->host_uid, ROOT_GID, e);
        /* Opened before init drops its privilege: afterwards even we would need CAP_SYS_PTRACE for its /proc
         * entries. */
        if (r == 0)
                r = open_namespace(s, "pid", &s->pid_ns, e);
        if (r == 0)
                r = open_namespace(s, "user", &s->user_ns, e);
        if (r == 0)
                r = open_namespace(s, "net", &s->net_ns, e);
        if (r == 0)
                r = watch_leftovers(s, e);
        if (r == 0)
                r = cell_tell(s, INIT_MAPPED, NULL, 0, e);
        if (r == 0)
                r = expect(s, INIT_READY, NULL, e);
        if (r == 0 && fcntl(s->init_sock, F_SETFL, O_NONBLOCK) < 0)
                r = err_set(e, errno, "a non-blocking socket");
        return r;
}

int cell_new(struct cell **out, uint32_t number, const struct cell_maker *maker, struct err *e)
{
        struct cell *s = hidden_new(sizeof *s);
        if (!s)
                return err_set(e, errno, "slot %u", number);
        s->number = number;
        s->host_uid = maker->uid_base + CELL_UIDS * number + 1;
        s->init_pidfd = s->init_sock = s->proc = s->pid_ns = s->user_ns = s->net_ns = -1;
        s->leftover = (struct leftover){ .sockstat = -1, .proc = -1 };
        facts_init(&s->facts);

        int r = cgroup_slot_init(&s->cgroup, &maker->cgroups, number, e);
        if (r == 0)
                r = set_up(s, maker, e);
        if (r < 0) {
                cell_free(s, NULL);
                return r;
        }
        *out = s;
        return 0;
}

static void close_all(struct cell *s)
{
        int *fds[] = { &s->init_pidfd, &s->init_sock, &s->proc, &s->pid_ns, &s->user_ns, &s->net_ns };
        for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
                own_close(fds[i]);
        leftover_close(&s->leftover);
        facts_close(&s->facts);
}

void cell_kill(struct cell *s)
{
        if (s->init_pid > 0)
                pidfd_send_signal(s->init_pidfd, SIGKILL, NULL, 0);
}

void cell_let_end(struct cell *s)
{
        if (shutdown(s->init_sock, SHUT_WR) < 0)
                cell_kill(s);
}

bool cell_is_dead(struct cell *s)
{
        if (s->init_pid > 0 && waitpid(s->init_pid, NULL, WNOHANG) == s->init_pid)
                s->init_pid = 0;
        return s->init_pid == 0;
}

int cell_free(struct cell *s, struct err *e)
{
        if (!s)
                return 0;
        if (s->init_pid > 0) {
                cell_kill(s);
                /* Returns once the kernel has killed and reaped the whole namespace. */
                while (waitpid(s->init_pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        close_all(s);
        int r = cgroup_slot_fini(&s->cgroup, e);
        hidden_free(s, sizeof *s);
        return r;
}

int cell_tell(struct cell *s, enum init_kind kind, const int *fds, size_t n_fds, struct err *e)
{
        struct init_packet p = { .kind = kind };
        return channel_send(s->init_sock, &p, sizeof p, fds, n_fds, e);
}

int cell_hear(struct cell *s, enum init_kind *kind, struct err *e)
{
        struct init_packet p;
        size_t n_fds;
        int r = channel_recv(s->init_sock, &p, sizeof p, NULL, 0, &n_fds, e);
        if (r == 1)
                *kind = (enum init_kind)p.kind;
        return r;
}
