/* Warming the interpreter, and the loop around fork: see forker.h. */
#include "bench/forker.h"

#include "bench/clock.h"
#include "bench/io.h"
#include "bench/workload.h"
#include "lang/lang.h"
#include "proto/own.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { OUT_MAX = 4096, TEXT_MAX = 120 };

struct forker {
        const struct lang *lang;
        char folder[32]; /* where the program's file lies; also the current directory */
        int errors;      /* read end of the pipe that is everybody's standard error; non-blocking */
        const struct workload *workload;
};

/* The environment that sandboxes have, as far as an interpreter looks at it when it starts. */
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
        char version[64];
        const char *missing = NULL;
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
                r = f->lang->warm(preload, n_preload, &missing, version, sizeof version, e);
        if (r == 0 && missing)
                r = err_say(e, ENOENT, "the preloaded module %s is missing: the comparison would not be fair", missing);
        return r;
}

static int write_program(struct forker *f, const struct workload *w, struct err *e)
{
        OWN_FD int fd = open(w->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0)
                return err_set(e, errno, "write the program");
        f->workload = w;
        int r = io_write_all(fd, w->code, strlen(w->code));
        return r < 0 ? err_set(e, -r, "write the program") : 0;
}

/* The child of one run. setsid, because the scheduler gives each session a share of its own, and sandboxes are
 * sessions: without it the comparison would be between different shares. */
static _Noreturn void child(const struct forker *f, int out)
{
        char *none[] = { NULL };
        const struct job job = { .entry = f->workload->file, .args = none, .env = none };
        if (setsid() < 0 || dup2(out, STDOUT_FILENO) < 0)
                _exit(126);
        f->lang->after_fork();
        _exit(f->lang->run(&job));
}

/* What was said on standard error, for the sentence about a wrong answer. */
static const char *last_words(const struct forker *f, char text[TEXT_MAX])
{
        ssize_t n = read(f->errors, text, TEXT_MAX - 1);
        text[n < 0 ? 0 : n] = '\0';
        return text;
}

static int run_one(const struct forker *f, const struct window *window, struct sample *s, struct err *e)
{
        int ends[2];
        char out[OUT_MAX], words[TEXT_MAX];
        size_t len;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return err_set(e, errno, "make a pipe");
        OWN_FD int in = ends[0];
        uint64_t began = clock_now();
        pid_t pid = fork();
        if (pid == 0)
                child(f, ends[1]);
        close(ends[1]);
        if (pid < 0)
                return err_set(e, errno, "fork");

        int status = 0;
        int r = io_drain(in, out, sizeof out, &len);
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return err_set(e, errno, "wait for a child");
        uint64_t ended = clock_now();
        if (r < 0)
                return err_set(e, -r, "read a child's output");
        if (status != 0 || len > sizeof out || !workload_answered(f->workload, out, len))
                sample_wrong(s, "the child's wait status was %d, its output %zu bytes; it said: %s", status, len,
                             last_words(f, words));
        else
                sample_right(s, window, began, ended);
        return 0;
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
        if (o->workload >= workload_count)
                return err_say(e, EINVAL, "there is no workload %u", o->workload);
        int r = write_program(f, &workload_table[o->workload], e);
        if (r < 0)
                return r;
        return o->paced ? run_paced(f, &o->pace, s, e) : run_window(f, &o->window, s, e);
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
        /* A benchmark that is killed leaves nothing that goes on forking. */
        int r = prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? err_set(&e, errno, "tie to the parent") : 0;
        if (r == 0)
                r = fcntl(FORKER_FD, F_SETFD, FD_CLOEXEC) < 0 ? err_set(&e, errno, "the socket is missing") : 0;
        if (r == 0)
                r = prepare(&f, plugin, preload, n_preload, &e);
        if (reply(r, &e) == 0 && r == 0)
                r = serve(&f);
        for (size_t i = 0; i < workload_count && f.folder[0]; i++)
                unlink(workload_table[i].file);
        if (f.folder[0])
                rmdir(f.folder);
        return r < 0;
}
