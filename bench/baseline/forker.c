/* Warming the interpreter, and the loop around fork: see forker.h. */
#include "bench/baseline/forker.h"

#include "bench/base/clock.h"
#include "bench/base/workload.h"
#include "bench/baseline/relay.h"
#include "lang/lang.h"
#include "proto/base/io.h"
#include "proto/base/own.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT_MAX = 120 };

struct forker {
        const struct lang *lang;
        void *state;     /* the language's */
        char folder[32]; /* the directory of the program's file; also the current directory */
        int errors;      /* read end of the pipe that is the standard error of all; non-blocking */
        struct program program;
        char *out; /* room for its output and a byte more */
        struct relay relay;
};

/* Sets the part of a sandbox's environment that an interpreter reads when it starts. */
static int set_environment(struct err *e)
{
        if (clearenv() != 0 || setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1) < 0 ||
            setenv("LANG", "C.UTF-8", 1) < 0)
                return err_set(e, ENOMEM, "set the environment");
        return 0;
}

/* Pipes as standard streams, as in a zygote: an interpreter looks at them once. Nothing will ever come in. */
static int set_standard_streams(struct forker *f, struct err *e)
{
        for (int fd = 0; fd < 3; fd++) {
                int ends[2];
                if (pipe2(ends, O_CLOEXEC) < 0)
                        return err_set(e, errno, "make a pipe");
                int ours = ends[fd == 0 ? 0 : 1];
                int other = ends[fd == 0 ? 1 : 0];
                if (dup2(ours, fd) < 0)
                        return err_set(e, errno, "place a standard stream");
                close(ours);
                if (fd == 0)
                        close(other); /* end of file at once */
                else if (fd == 2)
                        f->errors = other;
        }
        if (fcntl(f->errors, F_SETFL, O_NONBLOCK) < 0)
                return err_set(e, errno, "watch standard error");
        return 0;
}

static int make_folder(struct forker *f, struct err *e)
{
        snprintf(f->folder, sizeof f->folder, "/tmp/hatchery-bench-XXXXXX");
        if (!mkdtemp(f->folder)) {
                f->folder[0] = '\0';
                return err_set(e, errno, "make a temporary directory");
        }
        return chdir(f->folder) < 0 ? err_set(e, errno, "enter %s", f->folder) : 0;
}

static int prepare(struct forker *f, const char *plugin, char *const *preload, size_t n_preload, struct err *e)
{
        struct lang_setup setup = { .preload = preload, .n_preload = n_preload };
        struct lang_warmed warmed = { 0 };
        void *handle = dlopen(plugin, RTLD_NOW | RTLD_GLOBAL); /* global, as in a zygote: extensions need it */
        f->lang = handle ? dlsym(handle, LANG_SYMBOL) : NULL;
        if (!f->lang)
                return err_say(e, ENOENT, "load the language: %s", dlerror());
        if (f->lang->abi != LANG_ABI)
                return err_say(e, EINVAL, "%s is of another version: build again", plugin);
        int r = set_environment(e);
        if (r == 0)
                r = make_folder(f, e);
        if (r == 0)
                r = set_standard_streams(f, e);
        if (r == 0)
                r = f->lang->warm(&setup, &warmed, e);
        for (size_t i = 0; r == 0 && warmed.preloads && i < n_preload; i++)
                if (warmed.preloads[i].missing)
                        r = err_say(e, ENOENT, "the preloaded module %s is missing: the comparison would not be fair",
                                    preload[i]);
        free(warmed.preloads);
        f->state = warmed.state;
        return r;
}

static int write_program(const struct program *p, struct err *e)
{
        OWN_FD int fd = open(p->w->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0)
                return err_set(e, errno, "write the program");
        int r = io_write_all(fd, p->code, strlen(p->code));
        return r < 0 ? err_set(e, -r, "write the program") : 0;
}

/* The child of one run. setsid, because the scheduler gives each session a share of its own, and sandboxes are
 * sessions: without it the comparison would be between different shares. */
static _Noreturn void child(const struct forker *f, int in, int out)
{
        char *none[] = { NULL };
        const struct job job = { .entry = f->program.w->file, .args = none, .env = none };
        if (setsid() < 0 || dup2(out, STDOUT_FILENO) < 0 || (in >= 0 && dup2(in, STDIN_FILENO) < 0))
                _exit(126);
        if (f->lang->after_fork(f->state) < 0 || (f->lang->compile && f->lang->compile(f->state, &job) != 0))
                _exit(126);
        _exit(f->lang->run(f->state, &job));
}

/* The text on standard error, for the sentence about a wrong answer. */
static const char *last_words(const struct forker *f, char text[TEXT_MAX])
{
        ssize_t n = read(f->errors, text, TEXT_MAX - 1);
        text[n < 0 ? 0 : n] = '\0';
        return text;
}

/* A pipe that holds all of the program's standard input, and its end. -1 for a program that reads none. */
static int fill_input(const struct program *p, int *in, struct err *e)
{
        int ends[2];
        *in = -1;
        if (!p->in)
                return 0;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return err_set(e, errno, "make a pipe");
        OWN_FD int from = ends[0];
        OWN_FD int to = ends[1];
        /* Input longer than a pipe's buffer would wait for a reader for ever. */
        if (fcntl(to, F_SETFL, O_NONBLOCK) < 0)
                return err_set(e, errno, "fill a pipe");
        int r = io_write_all(to, p->in, p->in_len);
        if (r < 0)
                return err_set(e, -r, "fill a pipe");
        *in = own_steal_fd(&from);
        return 0;
}

/* Forks; the run has begun. */
static int launch(const struct forker *f, int out, pid_t *pid, uint64_t *began, struct err *e)
{
        OWN_FD int in = -1;
        *began = clock_now();
        int r = fill_input(&f->program, &in, e);
        if (r < 0)
                return r;
        *pid = fork();
        if (*pid == 0)
                child(f, in, out);
        return *pid < 0 ? err_set(e, errno, "fork") : 0;
}

static int reap(pid_t pid, int *status, struct err *e)
{
        while (waitpid(pid, status, 0) < 0)
                if (errno != EINTR)
                        return err_set(e, errno, "wait for a child");
        return 0;
}

static void judge(const struct forker *f, const struct window *window, int status, size_t len, uint64_t began,
                  struct sample *s)
{
        char words[TEXT_MAX];
        uint64_t ended = clock_now();
        if (!program_ended(&f->program, status) || len > f->program.out_len ||
            !program_answered(&f->program, f->out, len))
                sample_wrong(s, "the child's wait status was %d, its output %zu bytes; it said: %s", status, len,
                             last_words(f, words));
        else
                sample_right(s, window, began, ended);
}

static int run_piped(const struct forker *f, const struct window *window, struct sample *s, struct err *e)
{
        int ends[2], status = 0;
        pid_t pid = 0;
        size_t len = 0;
        uint64_t began;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return err_set(e, errno, "make a pipe");
        OWN_FD int in = ends[0];
        int r = launch(f, ends[1], &pid, &began, e);
        close(ends[1]);
        if (r < 0)
                return r;
        int drained = io_drain(in, f->out, f->program.out_len + 1, &len);
        r = reap(pid, &status, e);
        if (r < 0)
                return r;
        if (drained < 0)
                return err_set(e, -drained, "read a child's output");
        judge(f, window, status, len, began, s);
        return 0;
}

/* The relay's pipe stays open from run to run, so the length marks the end. */
static int run_relayed(const struct forker *f, const struct window *window, struct sample *s, struct err *e)
{
        char words[TEXT_MAX];
        int status = 0;
        pid_t pid = 0;
        uint64_t began;
        int r = launch(f, f->relay.pipe, &pid, &began, e);
        if (r < 0)
                return r;
        int came = io_read_all(f->relay.socket, f->out, f->program.out_len);
        if (came < 0)
                kill(pid, SIGKILL);
        r = reap(pid, &status, e);
        if (r < 0)
                return r;
        if (came < 0)
                return err_set(e, -came, "read a child's output by way of a relay; it said: %s", last_words(f, words));
        judge(f, window, status, f->program.out_len, began, s);
        return 0;
}

static int run_one(const struct forker *f, const struct window *window, struct sample *s, struct err *e)
{
        return f->relay.pid > 0 ? run_relayed(f, window, s, e) : run_piped(f, window, s, e);
}

static int run_paced(const struct forker *f, const struct pace *pace, struct sample *s, struct err *e)
{
        int r = 0;
        struct sample warm = { 0 };
        for (uint32_t i = 0; r == 0 && i < pace->warm_runs; i++) {
                clock_sleep(pace->pause_ns);
                r = run_one(f, &sample_always, &warm, e);
        }
        uint64_t start = clock_now();
        for (uint32_t i = 0; r == 0 && i < pace->runs; i++) {
                clock_sleep(pace->pause_ns);
                r = run_one(f, &sample_always, s, e);
        }
        s->seconds = (double)(clock_now() - start) / (double)CLOCK_SECOND;
        if (warm.wrong > 0)
                sample_wrong(s, "while warming up: %s", warm.first_wrong);
        return r;
}

static int run_window(const struct forker *f, const struct window *window, struct sample *s, struct err *e)
{
        int r = 0;
        while (r == 0 && clock_now() < window->end_ns)
                r = run_one(f, window, s, e);
        s->seconds = (double)(window->end_ns - window->start_ns) / (double)CLOCK_SECOND;
        return r;
}

static int obey(struct forker *f, const struct forker_order *o, struct sample *s, struct err *e)
{
        if (o->workload >= WORKLOAD_COUNT)
                return err_say(e, EINVAL, "there is no workload %u", o->workload);
        int r = program_init(&f->program, o->workload, o->steps, e);
        f->out = r == 0 ? malloc(f->program.out_len + 1) : NULL;
        if (r == 0 && !f->out)
                r = err_set(e, ENOMEM, "hold the output");
        if (r == 0)
                r = write_program(&f->program, e);
        if (r == 0 && o->relayed)
                r = relay_start(&f->relay, e);
        if (r == 0)
                r = o->paced ? run_paced(f, &o->pace, s, e) : run_window(f, &o->window, s, e);
        relay_stop(&f->relay);
        free(f->out);
        f->out = NULL;
        program_fini(&f->program);
        return r;
}

static int reply(int code, const struct err *e)
{
        struct forker_reply answer = { .code = -code };
        if (code < 0)
                snprintf(answer.text, sizeof answer.text, "%s", e->text);
        return io_write_all(FORKER_FD, &answer, sizeof answer);
}

static int serve(struct forker *f)
{
        struct forker_order order;
        int r;
        while ((r = io_read_all(FORKER_FD, &order, sizeof order)) == 0) {
                struct err e = { 0 };
                struct sample s = { 0 };
                int done = obey(f, &order, &s, &e);
                r = reply(done, &e);
                if (r == 0 && done == 0)
                        r = io_write_all(FORKER_FD, &s, sizeof s);
                if (r < 0)
                        break;
        }
        return r == -EPIPE ? 0 : r;
}

int forker_main(const char *plugin, char *const *preload, size_t n_preload)
{
        struct forker f = { .errors = -1 };
        struct err e = { 0 };
        const struct rlimit no_core = { 0 }; /* a crash must be as cheap as in a sandbox, which leaves no core either */
        /* If the benchmark is killed, no forker goes on. */
        int r = prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? err_set(&e, errno, "tie to the parent") : 0;
        if (r == 0)
                r = fcntl(FORKER_FD, F_SETFD, FD_CLOEXEC) < 0 ? err_set(&e, errno, "the socket is missing") : 0;
        if (r == 0)
                r = setrlimit(RLIMIT_CORE, &no_core) < 0 ? err_set(&e, errno, "forbid core dumps") : 0;
        if (r == 0)
                r = prepare(&f, plugin, preload, n_preload, &e);
        if (reply(r, &e) == 0 && r == 0)
                r = serve(&f);
        for (size_t i = 0; i < WORKLOAD_COUNT && f.folder[0]; i++)
                unlink(workload_table[i].file);
        if (f.folder[0])
                rmdir(f.folder);
        return r < 0;
}
