/* A run's descriptors: see run_io.h. */
#include "pool/core/run_io.h"

#include "pool/link/slot.h"
#include "pool/sched/language.h"
#include "pool/state.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"

#include <errno.h>
#include <sys/socket.h>

enum { DEFAULT_MODE = 0644 };

/* Watching a pipe costs a call to begin, a call to end, and a round of the loop for whatever comes, which together is a
 * fifth of what a run costs the pool under load. But only a program that fills its pipe needs a reader before its end.
 * So output is looked at now and then, each time after twice as long, and is watched when much has come or the run has
 * turned out a long one. A program that fills its pipe between two looks waits about as long as it has run already, and
 * once.
 *
 * The clock behind the loop's timers ticks every 4 ms on many kernels: shorter delays end late, after rounds in vain.
 */
enum { LOOK_FIRST_US = 4000, LOOK_LAST_US = 32000, LOOK_BYTES = 16 << 10 };

static void close_slot_fd(struct run *r, enum warm_fd which)
{
        own_close(&r->slot->fd[which]);
        r->slot->fd[which] = -1;
}

/* ---------------------------------------------------------------- in */

/* When there is room again. Without that its program would wait for input, and be answered for what it did not do. */
static void feed_later(struct run *r, struct event *writable)
{
        if (event_add(writable, NULL) == 0)
                return;
        log_error(&r->pool->log, "a sandbox's input can't be watched");
        run_kill(r, KILL_FAULT);
}

static void on_job_writable(evutil_socket_t fd, short what, void *arg)
{
        (void)what;
        struct run *r = arg;
        struct err e = { 0 };

        /* After an error there is nobody to take the rest of the job; the exit report follows, and tells more. */
        if (feed_write(&r->job, fd, &e) == FEED_MORE)
                feed_later(r, &r->job_writable);
        else if (e.code && e.code != EPIPE && e.code != ECONNRESET) {
                log_error(&r->pool->log, "%s", e.text);
                run_kill(r, KILL_FAULT);
        } else if (e.code == 0)
                r->fed_us = clock_us();
}

static void on_stdin_writable(evutil_socket_t fd, short what, void *arg)
{
        (void)what;
        struct run *r = arg;
        struct err e = { 0 };

        if (feed_write(&r->input, fd, &e) == FEED_MORE) {
                feed_later(r, &r->stdin_writable);
                return;
        }
        if (e.code && e.code != EPIPE) {
                log_error(&r->pool->log, "%s", e.text);
                run_kill(r, KILL_FAULT);
        }
        close_slot_fd(r, WARM_STDIN); /* all of it is written, or nobody reads it */
}

static void add_file(struct run *r, size_t i, struct span name, struct span content, uint32_t mode)
{
        r->job_files[i] = (struct job_file){
                .size = content.len,
                .mode = mode ? mode : DEFAULT_MODE,
                .name_len = (uint32_t)name.len,
        };
        feed_add(&r->job, &r->job_files[i], sizeof r->job_files[i]);
        feed_add(&r->job, name.data, name.len);
        feed_add(&r->job, content.data, content.len);
}

/* What a compiler is told of the request: its files. Arguments and environment are the program's, and the result of the
 * compile stage, which is kept, must not depend on them. */
static struct submission for_stage(const struct run *r)
{
        struct submission x = r->request.execute;

        if (r->stage == JOB_RUN)
                x.n_compile_flags = 0;
        if (r->stage == JOB_COMPILE) {
                x.n_args = x.n_env = 0;
                x.merge_stderr = x.echo_last_expression = x.unbuffered = false;
                x.standard_input = (struct span){ 0 };
        }
        return x;
}

/* In what order they come: of a name that comes twice, in the request and among the artifacts, the artifact counts. */
static void add_files(struct run *r, const struct submission *x)
{
        const struct compile *c = &r->compile;
        uint32_t n = 0;

        for (size_t i = 0; i < x->n_files; i++)
                if (!compile_replaces(c, x->files[i].name))
                        add_file(r, n++, x->files[i].name, x->files[i].content, x->files[i].mode);
        if (x->has_code && !compile_replaces(c, r->plan.entry))
                add_file(r, n++, r->plan.entry, x->code, 0);
        for (size_t i = 0; i < c->n_artifacts; i++)
                add_file(r, n++, c->artifacts[i].name, c->artifacts[i].content, COMPILE_ARTIFACT_MODE);
}

struct file_span *run_io_given(const struct run *r, size_t *n)
{
        const struct submission *x = &r->request.execute;
        const struct compile *c = &r->compile;
        struct file_span *given = calloc(x->n_files + c->n_artifacts + 1, sizeof *given);

        *n = 0;
        for (size_t i = 0; given && i < x->n_files; i++) {
                if (compile_replaces(c, x->files[i].name))
                        continue;
                given[*n] = x->files[i];
                given[*n].mode = x->files[i].mode ? x->files[i].mode : DEFAULT_MODE;
                ++*n;
        }
        if (given && x->has_code && !compile_replaces(c, r->plan.entry))
                given[(*n)++] = (struct file_span){ .name = r->plan.entry, .content = x->code, .mode = DEFAULT_MODE };
        for (size_t i = 0; given && i < c->n_artifacts; i++)
                given[(*n)++] = (struct file_span){ .name = c->artifacts[i].name,
                                                    .content = c->artifacts[i].content,
                                                    .mode = COMPILE_ARTIFACT_MODE };
        return given;
}

static uint32_t count_files(const struct run *r, const struct submission *x)
{
        const struct compile *c = &r->compile;
        size_t n = x->n_files + x->has_code + c->n_artifacts;

        for (size_t i = 0; i < x->n_files; i++)
                n -= compile_replaces(c, x->files[i].name);
        return (uint32_t)(n - (x->has_code && compile_replaces(c, r->plan.entry)));
}

static int build_job(struct run *r, struct err *e)
{
        const struct submission for_this = for_stage(r), *x = &for_this;
        uint32_t n_files = count_files(r, x);
        size_t head_len;

        enum job_stage stage = r->stage == JOB_RUN && r->compile.done ? JOB_RUN_COMPILED : r->stage;
        int rc = job_pack(x, r->plan.entry, n_files, r->limit, stage, &r->job_head, &head_len, e);
        if (rc < 0)
                return rc;
        r->job_files = calloc(n_files, sizeof *r->job_files);
        if (!r->job_files)
                return err_set(e, ENOMEM, "a job of %u files", n_files);
        rc = feed_init(&r->job, 1 + 3 * (size_t)n_files, e);
        if (rc < 0)
                return rc;
        feed_add(&r->job, r->job_head, head_len);
        add_files(r, x);

        if (x->standard_input.len == 0)
                return 0;
        rc = feed_init(&r->input, 1, e);
        if (rc == 0)
                feed_add(&r->input, x->standard_input.data, x->standard_input.len);
        return rc;
}

/* ---------------------------------------------------------------- out */

/* One read of one stream. Returns false when it is at its end, or has nothing at present. */
static bool take_output(struct run *r, enum warm_fd which)
{
        struct capture *c = which == WARM_STDOUT ? &r->out : &r->err;
        struct event *event = which == WARM_STDOUT ? &r->out_readable : &r->err_readable;
        struct err e = { 0 };
        size_t n;

        size_t room = c->room;
        int rc = capture_read(c, r->slot->fd[which], r->pool->run_scratch, POOL_SCRATCH, &n, &e);
        if (c->room != room)
                run_weigh(r);
        if (rc == CAPTURE_MORE) {
                if (capture_is_over(c) && !run_truncates(r))
                        run_kill(r, KILL_OUTPUT);
                return n > 0;
        }
        if (rc < 0) {
                log_error(&r->pool->log, "%s", e.text);
                run_kill(r, KILL_FAULT);
        }
        event_del(event);
        if (which == WARM_STDOUT)
                event_del(&r->first_output);
        close_slot_fd(r, which);
        return false;
}

static void on_out(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct run *r = arg;
        take_output(r, WARM_STDOUT);
        run_output_ended(r);
}

static void on_err(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct run *r = arg;
        take_output(r, WARM_STDERR);
        run_output_ended(r);
}

static void watch(struct run *r)
{
        event_del(&r->look_timer);
        event_del(&r->first_output);
        if ((r->slot->fd[WARM_STDOUT] >= 0 && event_add(&r->out_readable, NULL) < 0) ||
            (r->slot->fd[WARM_STDERR] >= 0 && event_add(&r->err_readable, NULL) < 0)) {
                log_error(&r->pool->log, "a sandbox's output can't be watched");
                run_kill(r, KILL_FAULT);
        }
}

/* Takes what is there; true: that is so much that more of it will soon be. */
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
        struct timeval delay = clock_delay(r->look_us);
        if (event_add(&r->look_timer, &delay) < 0)
                watch(r); /* what can't be looked at later is watched now */
}

static void on_look_timer(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct run *r = arg;

        if (look(r) || r->look_us >= LOOK_LAST_US) {
                watch(r);
                return;
        }
        r->look_us *= 2;
        look_later(r);
}

/* While there is a processor for each run, nothing is gained by leaving a program that writes much waiting: the first
 * that it writes is seen at once. */
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
        for (size_t i = 0; i < 2; i++)
                while (r->slot->fd[streams[i]] >= 0 && take_output(r, streams[i]))
                        ;
        if (r->slot->fd[WARM_STDOUT] < 0 && r->slot->fd[WARM_STDERR] < 0)
                return true;
        watch(r);
        return false;
}

/* Where a program is usually translated in its own run, what the compiler has to say comes before its output, and so
 * does what it said when it was asked. */
static int say_again(struct run *r, struct err *e)
{
        struct capture *err = r->request.execute.merge_stderr ? &r->out : &r->err;

        if (!language_keeps(r->language) || r->stage != JOB_RUN || !r->compile.done)
                return 0;
        int rc = capture_put(&r->out, r->compile.out.data, r->compile.out.len, e);
        return rc < 0 ? rc : capture_put(err, r->compile.err.data, r->compile.err.len, e);
}

/* ---------------------------------------------------------------- life */

int run_io_prepare(struct run *r, struct err *e)
{
        const int *fd = r->slot->fd;
        struct event_base *base = r->pool->base;

        r->out.limit = r->err.limit = (size_t)r->limit[LIMIT_OUTPUT];
        int rc = build_job(r, e);
        if (rc == 0)
                rc = say_again(r, e);
        if (rc < 0)
                return rc;
        if (event_assign(&r->job_writable, base, fd[WARM_JOB], EV_WRITE, on_job_writable, r) < 0 ||
            event_assign(&r->stdin_writable, base, fd[WARM_STDIN], EV_WRITE, on_stdin_writable, r) < 0 ||
            event_assign(&r->out_readable, base, fd[WARM_STDOUT], EV_READ | EV_PERSIST, on_out, r) < 0 ||
            event_assign(&r->err_readable, base, fd[WARM_STDERR], EV_READ | EV_PERSIST, on_err, r) < 0 ||
            event_assign(&r->first_output, base, fd[WARM_STDOUT], EV_READ, on_first_output, r) < 0 ||
            evtimer_assign(&r->look_timer, base, on_look_timer, r) < 0)
                return err_say(e, EIO, "a sandbox's pipes can't be watched");
        return 0;
}

void run_io_start(struct run *r)
{
        on_job_writable(r->slot->fd[WARM_JOB], EV_WRITE, r);
        on_stdin_writable(r->slot->fd[WARM_STDIN], EV_WRITE, r);
        if (r->pool->n_runs <= r->pool->cores && event_add(&r->first_output, NULL) < 0)
                watch(r);
        r->look_us = LOOK_FIRST_US;
        look_later(r);
}

enum job_told run_io_exited(struct run *r, struct job_failure *failure)
{
        struct job_failure told[JOB_MAX_TOLD + 1]; /* one more shows that there was too much */

        event_del(&r->look_timer);
        event_del(&r->first_output);
        event_del(&r->job_writable);
        event_del(&r->stdin_writable);
        ssize_t n = recv(r->slot->fd[WARM_JOB], told, sizeof told, MSG_DONTWAIT);
        close_slot_fd(r, WARM_JOB);
        close_slot_fd(r, WARM_STDIN);
        enum job_told what = n > 0 ? job_told(told, (size_t)n) : JOB_TOLD_NOTHING;
        if (what == JOB_TOLD_FAILURE)
                *failure = told[0];
        return what;
}

void run_io_stop(struct run *r)
{
        event_del(&r->look_timer);
        event_del(&r->first_output);
        event_del(&r->job_writable);
        event_del(&r->stdin_writable);
        event_del(&r->out_readable);
        event_del(&r->err_readable);
}

void run_io_fini(struct run *r)
{
        feed_fini(&r->job);
        feed_fini(&r->input);
        free(r->job_head);
        free(r->job_files);
        r->job_head = NULL;
        r->job_files = NULL;
        capture_fini(&r->out);
        capture_fini(&r->err);
}
