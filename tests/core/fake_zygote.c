/* Zygotes without processes, at the pool's end of their channels: see world.h. */
#include "proto/base/clock.h"
#include "proto/ipc/collect.h"
#include "proto/ipc/job.h"
#include "tests/core/world.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

/* ---------------------------------------------------------------- instead of pool/link/channel_end.c */

/* The sockets of a world are numbers of this file's own. */
static struct fake_zygote *by_sock[1 << 16];

int channel_end_open(struct channel_end *c, struct event_base *base, int sock, struct err *e)
{
        struct fake_zygote *z = by_sock[sock];
        (void)base;
        (void)e;
        c->sock = sock;
        z->end = c;
        return 0;
}

static void close_fd(int *fd)
{
        if (*fd >= 0)
                close(*fd);
        *fd = -1;
}

static void close_slot(struct fake_slot *s)
{
        close_fd(&s->job);
        close_fd(&s->in);
        close_fd(&s->out);
        close_fd(&s->err);
        close_fd(&s->cpu);
}

void channel_end_close(struct channel_end *c)
{
        if (c->sock < 0)
                return;
        struct fake_zygote *z = by_sock[c->sock];
        by_sock[c->sock] = NULL;
        close(c->sock);
        c->sock = -1;
        for (unsigned i = 0; i < WORLD_SLOTS; i++)
                close_slot(&z->slot[i]);
        for (unsigned i = 0; i < z->n_pending; i++)
                close_fd(&z->pending[i].fd);
        *z = (struct fake_zygote){ .world = z->world };
}

void channel_end_order(struct channel_end *c, const struct order *order, int fd)
{
        if (c->sock < 0)
                return; /* the real one does this too: the zygote ends, and its holders are told */
        struct fake_zygote *z = by_sock[c->sock];

        assert_true(order->slot < WORLD_SLOTS);
        assert_true(z->n_pending < WORLD_PENDING);
        if (order->kind == ORDER_SIGNAL) {
                z->slot[order->slot].signal = (int)order->signal;
                return;
        }
        if (order->kind == ORDER_CLEAR)
                return;
        if (order->kind == ORDER_DRAIN)
                z->told_to_end = true;
        z->pending[z->n_pending++] = (struct fake_pending){ *order, fd >= 0 ? dup(fd) : -1 };
}

/* ---------------------------------------------------------------- sandboxes */

static void pair(int *theirs, int *ours, bool they_write)
{
        int p[2];
        assert_int_equal(pipe2(p, O_NONBLOCK | O_CLOEXEC), 0);
        *theirs = p[they_write];
        *ours = p[!they_write];
}

/* A pty of the test machine, in raw mode: it passes bytes on unchanged. */
static void make_terminal(struct fake_slot *s, int fds[CHANNEL_WARM_FDS])
{
        const int unlocked = 0;
        struct termios mode;
        int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

        assert_true(master >= 0);
        assert_int_equal(ioctl(master, TIOCSPTLCK, &unlocked), 0);
        s->in = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        assert_int_equal(tcgetattr(s->in, &mode), 0);
        cfmakeraw(&mode);
        assert_int_equal(tcsetattr(s->in, TCSANOW, &mode), 0);
        s->out = fcntl(s->in, F_DUPFD_CLOEXEC, 0);
        fds[WARM_STDOUT] = master;
        fds[WARM_STDIN] = fcntl(master, F_DUPFD_CLOEXEC, 0);
        close_fd(&s->err);
}

static void make_sandbox(struct fake_slot *s, bool terminal, int fds[CHANNEL_WARM_FDS])
{
        int p[2];

        close_slot(s);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p), 0);
        s->job = p[0];
        fds[WARM_JOB] = p[1];
        pair(&fds[WARM_STDERR], &s->err, false);
        if (terminal) {
                make_terminal(s, fds);
        } else {
                pair(&fds[WARM_STDIN], &s->in, true);
                pair(&fds[WARM_STDOUT], &s->out, false);
        }
        s->cpu = memfd_create("cpu", MFD_CLOEXEC);
        assert_true(s->cpu >= 0);
        fds[WARM_CPU] = fcntl(s->cpu, F_DUPFD_CLOEXEC, 0);
        s->signal = 0;
        s->written[0] = s->written[1] = 0;
        fake_use_cpu(s, 1000);
}

void fake_use_cpu(struct fake_slot *s, int64_t us)
{
        char text[32];
        if (s->cpu < 0)
                return; /* it is dead */
        int n = snprintf(text, sizeof text, "%lld000\n", (long long)us);
        assert_int_equal(pwrite(s->cpu, text, (size_t)n, 0), n);
}

/* A job begins with a header: once a part of it has come, the program may be taken to run when all of it was read. */
bool fake_has_job(const struct fake_slot *s)
{
        char byte;
        return s->state == FAKE_WARM && s->job >= 0 && recv(s->job, &byte, 1, MSG_PEEK) == 1;
}

void fake_read_job(struct fake_slot *s)
{
        char buffer[1 << 16];
        while (s->job >= 0 && recv(s->job, buffer, sizeof buffer, 0) > 0)
                ;
        while (s->in >= 0 && read(s->in, buffer, sizeof buffer) > 0)
                ;
}

enum { PERIOD = 251, AT_ONCE = 1 << 16 };

uint8_t world_byte(uint64_t n)
{
        return (uint8_t)(n % PERIOD);
}

void fake_write(struct fake_slot *s, bool is_stderr, size_t len)
{
        static uint8_t bytes[AT_ONCE + PERIOD];
        uint64_t *at = &s->written[is_stderr];
        int fd = is_stderr ? s->err : s->out;

        if (bytes[1] == 0)
                for (unsigned i = 0; i < sizeof bytes; i++)
                        bytes[i] = world_byte(i);
        if (fd < 0)
                return;
        ssize_t n = write(fd, bytes + *at % PERIOD, len < AT_ONCE ? len : AT_ONCE);
        assert_true(n >= 0 || errno == EAGAIN || errno == EPIPE);
        *at += n > 0 ? (uint64_t)n : 0;
}

void fake_close_output(struct fake_slot *s)
{
        close_fd(&s->out);
        close_fd(&s->err);
}

void fake_tell_failure(struct fake_slot *s, const struct job_failure *f)
{
        if (s->job >= 0 && send(s->job, f, sizeof *f, MSG_NOSIGNAL) < 0)
                assert_true(errno == EPIPE || errno == ECONNRESET || errno == EAGAIN);
}

/* ---------------------------------------------------------------- reports */

static bool report(struct fake_zygote *z, struct report *r, const int *fds, size_t n)
{
        struct channel_end *end = z->end;
        struct err e = { 0 };

        if (end->on_report(end->owner, r, fds, n, &e) >= 0)
                return z->end != NULL;
        end->on_end(end->owner, e.text);
        return false;
}

static bool report_of(struct fake_zygote *z, enum report_kind kind, unsigned slot)
{
        struct report r = { .kind = kind, .slot = slot, .sandbox = z->slot[slot].sandbox };
        return report(z, &r, NULL, 0);
}

void fake_die(struct fake_zygote *z)
{
        struct channel_end *end = z->end;
        end->on_end(end->owner, "it has died");
}

void fake_greet(struct fake_zygote *z)
{
        struct report r = { .kind = REPORT_HELLO };
        bool compiled = strcmp(z->language, "comp") == 0, ahead = strcmp(z->language, "pre") == 0;

        r.hello.kind = compiled ? KIND_COMPILED : ahead ? KIND_PRESTARTED : KIND_FORKED;
        snprintf(r.hello.version, sizeof r.hello.version, "1.0");
        snprintf(r.hello.main_file, sizeof r.hello.main_file, "main.x");
        r.hello.ceilings = (struct ceilings){ INT64_MAX, INT64_MAX, INT64_MAX };
        r.hello.fresh = r.hello.prompts = !compiled;
        z->greeted = true;
        report(z, &r, NULL, 0);
}

bool fake_exit(struct fake_zygote *z, unsigned slot, int wait_status, bool unproved)
{
        struct fake_slot *s = &z->slot[slot];
        struct report r = { .kind = REPORT_EXITED, .slot = slot, .sandbox = s->sandbox };

        fake_read_job(s);
        s->state = FAKE_DEAD;
        close_slot(s);
        r.exited.wait_status = wait_status;
        r.exited.ended_us = clock_us();
        r.exited.unproved = unproved;
        return report(z, &r, NULL, 0);
}

bool fake_exit_with_open_pipes(struct fake_zygote *z, unsigned slot)
{
        struct report r = { .kind = REPORT_EXITED, .slot = slot, .sandbox = z->slot[slot].sandbox };

        fake_read_job(&z->slot[slot]);
        z->slot[slot].state = FAKE_DEAD;
        return report(z, &r, NULL, 0);
}

static bool report_failed(struct fake_zygote *z, unsigned slot)
{
        struct report r = { .kind = REPORT_FAILED, .slot = slot, .sandbox = z->slot[slot].sandbox };

        close_slot(&z->slot[slot]);
        z->slot[slot].state = FAKE_NONE;
        snprintf(r.failed.step, sizeof r.failed.step, "a step");
        r.failed.error = EIO;
        return report(z, &r, NULL, 0);
}

bool fake_fail_slot(struct fake_zygote *z, unsigned slot)
{
        return report_failed(z, slot);
}

/* The answer of the slot's init about a dead sandbox's files: none, or one file of the compiler. */
static void answer_collect(const struct fake_zygote *z, int fd)
{
        static const char content[] = "#!/x\n";
        const struct collect_record end = { .kind = COLLECT_END };
        bool compiled = strcmp(z->language, "fork") != 0;
        const struct collect_record file = {
                .kind = COLLECT_FILE, .mode = 0755, .size = sizeof content - 1, .name_len = 4
        };
        char question[1 << 12];

        (void)!recv(fd, question, sizeof question, MSG_DONTWAIT);
        if (compiled) {
                (void)!send(fd, &file, sizeof file, MSG_NOSIGNAL);
                (void)!send(fd, "main", 4, MSG_NOSIGNAL);
                (void)!send(fd, content, sizeof content - 1, MSG_NOSIGNAL);
        }
        (void)!send(fd, &end, sizeof end, MSG_NOSIGNAL);
}

static struct fake_pending take(struct fake_zygote *z, unsigned i)
{
        struct fake_pending p = z->pending[i];
        z->n_pending--;
        memmove(&z->pending[i], &z->pending[i + 1], (z->n_pending - i) * sizeof p);
        return p;
}

static bool make(struct fake_zygote *z, const struct order *o)
{
        struct fake_slot *s = &z->slot[o->slot];
        struct report r = { .kind = REPORT_WARM, .slot = o->slot, .sandbox = o->sandbox };
        int fds[CHANNEL_WARM_FDS];

        assert_true(s->state == FAKE_NONE || s->state == FAKE_DEAD);
        make_sandbox(s, o->terminal, fds);
        s->has_terminal = o->terminal;
        s->state = FAKE_WARM;
        s->sandbox = o->sandbox;
        r.warm.cpu_base_us = 1000;
        for (size_t i = 0; z->loses_descriptors && i < CHANNEL_WARM_FDS; i++)
                close(fds[i]);
        return report(z, &r, fds, z->loses_descriptors ? 0 : CHANNEL_WARM_FDS);
}

bool fake_answer(struct fake_zygote *z, unsigned i)
{
        const struct fake_pending p = take(z, i);
        struct fake_slot *s = &z->slot[p.order.slot];
        bool present = s->sandbox == p.order.sandbox;

        switch (p.order.kind) {
        case ORDER_MAKE:
                return make(z, &p.order);
        case ORDER_LIMIT:
                return !present || s->state != FAKE_WARM || report_of(z, REPORT_LIMITED, p.order.slot);
        case ORDER_KILL:
                return !present || s->state != FAKE_WARM || fake_exit(z, p.order.slot, SIGKILL, false);
        case ORDER_COLLECT:
                answer_collect(z, p.fd);
                close(p.fd);
                return true;
        case ORDER_DROP:
                close_slot(s);
                s->state = FAKE_NONE;
                return report_of(z, REPORT_DROPPED, p.order.slot);
        case ORDER_PING:
                return report(z, &(struct report){ .kind = REPORT_PONG }, NULL, 0);
        case ORDER_DRAIN:
                fake_die(z);
                return false;
        default:
                fail_msg("an order of kind %u", p.order.kind);
                return false;
        }
}

bool fake_fail(struct fake_zygote *z, unsigned i)
{
        const uint32_t kind = z->pending[i].order.kind;

        if (kind == ORDER_COLLECT) {
                close(take(z, i).fd); /* the other end breaks off */
                return true;
        }
        if (kind != ORDER_MAKE && kind != ORDER_LIMIT)
                return fake_answer(z, i);
        const struct fake_pending p = take(z, i);
        struct fake_slot *s = &z->slot[p.order.slot];
        if (kind == ORDER_LIMIT && (s->sandbox != p.order.sandbox || s->state != FAKE_WARM))
                return true;
        s->sandbox = p.order.sandbox;
        return report_failed(z, p.order.slot);
}

/* ---------------------------------------------------------------- how they come */

void fake_adopt(struct world *w, const char *language)
{
        for (unsigned i = 0; i < WORLD_ZYGOTES; i++) {
                struct fake_zygote *z = &w->zygote[i];
                if (z->end)
                        continue;
                *z = (struct fake_zygote){ .world = w, .generation = ++w->generations };
                snprintf(z->language, sizeof z->language, "%s", language);
                for (unsigned k = 0; k < WORLD_SLOTS; k++) {
                        struct fake_slot *s = &z->slot[k];
                        s->job = s->in = s->out = s->err = s->cpu = -1;
                }
                int sock = open("/dev/null", O_RDONLY | O_CLOEXEC);
                assert_true(sock >= 0);
                by_sock[sock] = z;
                core_adopt_zygote(w->core, span_of_text(language), z->generation, sock);
                if (!z->end) /* the pool had no memory to take the zygote */
                        by_sock[sock] = NULL;
                return;
        }
        fail_msg("too many zygotes");
}
