/* A run's descriptors: job and input in, output back. */
#include "pool/base/invariant.h"
#include "pool/core/live_input.h"
#include "pool/core/run_parts.h"
#include "pool/link/slot.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Watching a pipe takes a call to begin, a call to end, and a round of the loop for each piece of output. These take a
 * fifth of the pool's time for a run under load. But only a program that fills its pipe needs a reader before its
 * end. So output is looked at now and then, each time after twice as long. It is watched when much has come, or when
 * the run takes long. A program that fills its pipe between two looks waits once, about as long as it has run already.
 * Output that is told as it comes is watched from the beginning.
 *
 * The clock behind the loop's timers ticks every 4 ms on many kernels: shorter delays end late, after useless rounds.
 */
enum { LOOK_FIRST_US = 4000, LOOK_LAST_US = 32000, LOOK_BYTES = 16 << 10 };

static void close_slot_fd(struct run *r, enum warm_fd which)
{
        own_close(&r->slot->fd[which]);
        r->slot->fd[which] = -1;
}

/* ---------------------------------------------------------------- in */

static void begin_output(struct run *r);

/* Goes on when the pipe has room again. If the pipe can't be watched, the run is killed as the server's fault.
 * Otherwise its program would wait for input, and the answer would blame the program. */
static void feed_later(struct run *r, struct event *writable)
{
        if (event_add(writable, NULL) == 0)
                return;
        log_error(r->host->log, "a sandbox's input can't be watched");
        run_kill(r, KILL_FAULT);
}

static void on_job_writable(evutil_socket_t fd, short what, void *arg)
{
        (void)what;
        struct run *r = arg;
        struct err e = { 0 };

        /* After an error no process takes the rest of the job. The report of its end follows, and tells more. */
        if (feed_write(&r->job, fd, &e) == FEED_MORE)
                feed_later(r, &r->job_writable);
        else if (e.code && e.code != EPIPE && e.code != ECONNRESET) {
                log_error(r->host->log, "%s", e.text);
                run_kill(r, KILL_FAULT);
        } else if (e.code == 0) {
                r->fed_us = clock_us();
                begin_output(r);
                run_input(r);
        }
}

/* Ends the input: all of it is written, or no process reads it. */
static void end_input(struct run *r)
{
        close_slot_fd(r, WARM_STDIN);
        if (r->task.live) {
                live_input_close(r->task.live);
                r->ops->input_moved(r);
        }
}

static void write_live(struct run *r, int fd)
{
        int rc = live_input_write(r->task.live, fd);

        if (rc == LIVE_MORE)
                feed_later(r, &r->stdin_writable);
        if (rc < 0 && rc != -EPIPE) {
                log_error(r->host->log, "writing into a sandbox: %s", strerror(-rc));
                run_kill(r, KILL_FAULT);
        }
        if (rc == LIVE_MORE || rc == LIVE_WAITS)
                r->ops->input_moved(r);
        else
                end_input(r);
}

static void on_stdin_writable(evutil_socket_t fd, short what, void *arg)
{
        (void)what;
        struct run *r = arg;
        struct err e = { 0 };

        int rc = feed_write(&r->input, fd, &e);
        if (rc == FEED_MORE) {
                feed_later(r, &r->stdin_writable);
                return;
        }
        if (rc == FEED_DONE && r->task.live) {
                if (feed_is_done(&r->job))
                        write_live(r, fd);
                return;
        }
        if (e.code && e.code != EPIPE) {
                log_error(r->host->log, "%s", e.text);
                run_kill(r, KILL_FAULT);
        }
        end_input(r);
}

/* Written input is lost with a sandbox. So nothing is written before the sandbox has its job: if the sandbox dies
 * before that, another one gets the input. */
void run_input(struct run *r)
{
        if (r->state == RUN_RUNNING && r->task.live && r->slot->fd[WARM_STDIN] >= 0 && feed_is_done(&r->input) &&
            !event_pending(&r->stdin_writable, EV_WRITE, NULL))
                on_stdin_writable(r->slot->fd[WARM_STDIN], EV_WRITE, r);
}

/* ---------------------------------------------------------------- out */

static struct capture *capture_of(struct run *r, enum warm_fd which)
{
        return which == WARM_STDOUT ? &r->out : &r->err;
}

bool run_is_over(const struct run *r, bool is_stderr)
{
        const struct capture *c = is_stderr ? &r->err : &r->out;
        return r->task.streams ? c->total > (uint64_t)r->task.limit[LIMIT_OUTPUT] : capture_is_over(c);
}

/* Returns how many of the bytes the run's owner took. No run reads within this call, so the shared scratch keeps the
 * rest. */
static size_t tell(struct run *r, bool is_stderr, struct span bytes)
{
        r->telling = true;
        size_t taken = r->ops->output(r, is_stderr, bytes, r->told[is_stderr]);
        r->telling = false;
        INVARIANT(taken <= bytes.len, "%zu of %zu bytes of output are taken", taken, bytes.len);
        r->told[is_stderr] += taken;
        if (taken < bytes.len)
                r->full = true;
        return taken;
}

bool run_tell_kept(struct run *r)
{
        for (int i = 0; r->task.streams && i < 2; i++) {
                struct capture *c = i == 0 ? &r->out : &r->err;
                const struct span kept = capture_span(c);
                if (kept.len == 0)
                        continue;
                if (!r->full) {
                        capture_drop(c, tell(r, i == 1, kept));
                        r->ops->weighs(r);
                }
                if (r->full)
                        return false;
        }
        return true;
}

/* Only for a run that streams. Tells its owner as many of the bytes as the limit of output leaves, and keeps those that
 * the owner does not take. While anything of the stream is kept, all that follows is kept behind it, so each stream
 * stays in order. A dead sandbox is read to its end in this way, because its slot does not wait for the owner. */
static int tell_or_keep(struct run *r, enum warm_fd which, struct span bytes, struct err *e)
{
        bool is_stderr = which == WARM_STDERR;
        uint64_t left = (uint64_t)r->task.limit[LIMIT_OUTPUT] - r->told[is_stderr];
        struct capture *c = capture_of(r, which);

        if (r->full || c->len > 0) {
                c->limit = (size_t)left;
                return capture_put(c, bytes.data, bytes.len, e);
        }
        if (bytes.len == 0 || left == 0) {
                c->total += bytes.len;
                return 0;
        }
        size_t taken = tell(r, is_stderr, (struct span){ bytes.data, bytes.len < left ? bytes.len : (size_t)left });
        c->total += taken;
        c->limit = (size_t)left - taken;
        return capture_put(c, bytes.data + taken, bytes.len - taken, e);
}

/* Tells the compiler's output before the program's own. Nothing is told before the sandbox has its job, because another
 * sandbox may still get the job. */
static void tell_said(struct run *r)
{
        const struct run_task *t = &r->task;
        struct err e = { 0 };

        if (!t->streams || r->said)
                return;
        r->said = true;
        int rc = tell_or_keep(r, WARM_STDOUT, t->said_out, &e);
        if (rc == 0)
                rc = tell_or_keep(r, t->submission.merge_stderr ? WARM_STDOUT : WARM_STDERR, t->said_err, &e);
        r->ops->weighs(r);
        if (rc == 0)
                return;
        log_error(r->host->log, "%s", e.text);
        run_kill(r, KILL_FAULT);
}

static void look_later(struct run *r);

/* No process has the terminal open. If all processes are dead, the output has ended. Otherwise a program may open the
 * terminal again, so the run looks at it now and then: a watched terminal would report the hang-up again and again. */
static int hung_up(struct run *r)
{
        if (r->state != RUN_RUNNING)
                return CAPTURE_END;
        event_del(&r->out_readable);
        r->look_us = LOOK_LAST_US;
        look_later(r);
        return CAPTURE_MORE;
}

/* One read of one stream, as capture_read. */
static int read_stream(struct run *r, enum warm_fd which, size_t *n, struct err *e)
{
        int fd = r->slot->fd[which];

        if (!r->task.streams)
                return capture_read(capture_of(r, which), fd, r->host->scratch, sizeof r->host->scratch, n, e);
        *n = 0;
        ssize_t got = read(fd, r->host->scratch, sizeof r->host->scratch);
        if (got < 0 && errno == EIO && r->task.submission.has_terminal)
                return hung_up(r);
        if (got < 0)
                return errno == EAGAIN || errno == EINTR ? CAPTURE_MORE : err_set(e, errno, "reading output");
        if (got == 0)
                return CAPTURE_END;
        *n = (size_t)got;
        return tell_or_keep(r, which, (struct span){ r->host->scratch, *n }, e);
}

static void stop_reading(struct run *r)
{
        timer_stop(&r->look_timer);
        event_del(&r->first_output);
        event_del(&r->out_readable);
        event_del(&r->err_readable);
}

/* One read of one stream. Returns false when it is at its end, or has nothing at present. */
static bool take_output(struct run *r, enum warm_fd which)
{
        struct capture *c = capture_of(r, which);
        struct err e = { 0 };
        size_t n, room = c->room;

        int rc = read_stream(r, which, &n, &e);
        if (c->room != room)
                r->ops->weighs(r);
        if (rc == CAPTURE_MORE) {
                if (run_is_over(r, which == WARM_STDERR) && !run_truncates(r))
                        run_kill(r, KILL_OUTPUT);
                if (r->full && r->state == RUN_RUNNING)
                        stop_reading(r);
                return n > 0;
        }
        if (rc < 0) {
                log_error(r->host->log, "%s", e.text);
                run_kill(r, KILL_FAULT);
        }
        event_del(which == WARM_STDOUT ? &r->out_readable : &r->err_readable);
        if (which == WARM_STDOUT)
                event_del(&r->first_output);
        close_slot_fd(r, which);
        return false;
}

static bool is_at_its_end(const struct run *r)
{
        return r->slot->fd[WARM_STDOUT] < 0 && r->slot->fd[WARM_STDERR] < 0;
}

static void on_output(struct run *r, enum warm_fd which)
{
        take_output(r, which);
        if (r->state == RUN_ENDING && is_at_its_end(r))
                r->life->drained(r);
}

static void on_out(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        on_output(arg, WARM_STDOUT);
}

static void on_err(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        on_output(arg, WARM_STDERR);
}

static void watch(struct run *r)
{
        timer_stop(&r->look_timer);
        event_del(&r->first_output);
        if ((r->slot->fd[WARM_STDOUT] >= 0 && event_add(&r->out_readable, NULL) < 0) ||
            (r->slot->fd[WARM_STDERR] >= 0 && event_add(&r->err_readable, NULL) < 0)) {
                log_error(r->host->log, "a sandbox's output can't be watched");
                run_kill(r, KILL_FAULT);
        }
}

void run_resume(struct run *r)
{
        if (!r->full || r->telling)
                return;
        r->full = false;
        if (r->state == RUN_RUNNING && run_tell_kept(r))
                watch(r);
}

/* Call it when the run's sandbox has the job. */
static void begin_output(struct run *r)
{
        tell_said(r);
        if (r->task.streams && !r->full)
                watch(r);
}

/* Takes the output that is there. True: it was so much that more is likely to come soon. */
static bool look(struct run *r)
{
        uint64_t before = r->out.total + r->err.total;

        if (r->slot->fd[WARM_STDOUT] >= 0)
                take_output(r, WARM_STDOUT);
        if (r->slot->fd[WARM_STDERR] >= 0)
                take_output(r, WARM_STDERR);
        return r->out.total + r->err.total - before >= LOOK_BYTES;
}

static void look_later(struct run *r)
{
        if (timer_set(&r->look_timer, r->look_us) < 0)
                watch(r); /* without a timer for a later look, it is watched now */
}

static void on_look_timer(void *arg)
{
        struct run *r = arg;

        if (look(r) || r->look_us >= LOOK_LAST_US) {
                watch(r);
                return;
        }
        r->look_us *= 2;
        look_later(r);
}

/* If there is a processor for each run, it gains nothing to let a program with much output wait. So this reads the
 * first output at once. */
static void on_first_output(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct run *r = arg;

        take_output(r, WARM_STDOUT);
        if (r->out.total >= LOOK_BYTES)
                watch(r);
}

bool run_io_drain(struct run *r)
{
        static const enum warm_fd streams[] = { WARM_STDOUT, WARM_STDERR };

        tell_said(r);
        for (size_t i = 0; i < 2; i++)
                while (r->slot->fd[streams[i]] >= 0 && take_output(r, streams[i]))
                        ;
        if (is_at_its_end(r))
                return true;
        watch(r);
        return false;
}

/* ---------------------------------------------------------------- life */

static int set_size(const struct run *r)
{
        const struct terminal_size *size = &r->task.submission.terminal;
        const struct winsize w = { .ws_row = (unsigned short)size->rows, .ws_col = (unsigned short)size->columns };

        return ioctl(r->slot->fd[WARM_STDOUT], TIOCSWINSZ, &w);
}

int run_io_prepare(struct run *r, struct err *e)
{
        const int *fd = r->slot->fd;
        struct event_base *base = r->host->base;

        if (event_assign(&r->job_writable, base, fd[WARM_JOB], EV_WRITE, on_job_writable, r) < 0 ||
            event_assign(&r->stdin_writable, base, fd[WARM_STDIN], EV_WRITE, on_stdin_writable, r) < 0 ||
            event_assign(&r->out_readable, base, fd[WARM_STDOUT], EV_READ | EV_PERSIST, on_out, r) < 0 ||
            event_assign(&r->err_readable, base, fd[WARM_STDERR], EV_READ | EV_PERSIST, on_err, r) < 0 ||
            event_assign(&r->first_output, base, fd[WARM_STDOUT], EV_READ, on_first_output, r) < 0 ||
            timer_init(&r->look_timer, base, LOOP_CLIENTS, on_look_timer, r) < 0)
                return err_say(e, EIO, "a sandbox's pipes can't be watched");
        if (r->task.submission.has_terminal && set_size(r) < 0)
                return err_set(e, errno, "the size of a terminal");
        return 0;
}

void run_io_resize(struct run *r)
{
        if (r->slot->fd[WARM_STDOUT] >= 0 && set_size(r) < 0)
                log_error(r->host->log, "the size of a terminal: %s", strerror(errno));
}

void run_io_start(struct run *r)
{
        on_job_writable(r->slot->fd[WARM_JOB], EV_WRITE, r);
        if (r->slot->fd[WARM_STDIN] >= 0)
                on_stdin_writable(r->slot->fd[WARM_STDIN], EV_WRITE, r);
        if (r->task.streams)
                return;
        if (r->host->running <= r->host->cores && event_add(&r->first_output, NULL) < 0)
                watch(r);
        r->look_us = LOOK_FIRST_US;
        look_later(r);
}

static void stop_writing(struct run *r)
{
        event_del(&r->job_writable);
        event_del(&r->stdin_writable);
}

enum job_told run_io_exited(struct run *r, struct job_failure *failure)
{
        struct job_failure told[JOB_MAX_TOLD + 1]; /* one more, to notice too many */

        timer_stop(&r->look_timer);
        event_del(&r->first_output);
        stop_writing(r);
        ssize_t n = recv(r->slot->fd[WARM_JOB], told, sizeof told, MSG_DONTWAIT);
        close_slot_fd(r, WARM_JOB);
        enum job_told what = n > 0 ? job_told(told, (size_t)n) : JOB_TOLD_NOTHING;
        if (what == JOB_TOLD_FAILURE)
                *failure = told[0];
        return what;
}

void run_io_end_input(struct run *r)
{
        if (r->slot->fd[WARM_STDIN] >= 0)
                end_input(r);
}

void run_io_stop(struct run *r)
{
        if (!event_initialized(&r->job_writable))
                return;
        stop_reading(r);
        stop_writing(r);
}
