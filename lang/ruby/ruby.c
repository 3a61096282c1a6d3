/* The plug-in for Ruby. The zygote initialises libruby once, and each child runs a file as `ruby FILE` would. This file
 * renews state after a fork; main.c runs the program. */
#include "lang/lang.h"
#include "lang/preload.h"
#include "lang/ruby/end.h"
#include "lang/ruby/main.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <ruby.h>
#include <ruby/version.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct ruby_state {
        struct sigaction signals[NSIG]; /* Ruby's handlers, for the children; the zygote keeps its own */
        VALUE generators;               /* every Random that was made in the zygote */
        char arguments[2][8];           /* "ruby", "-e": a command line; Ruby keeps pointers to it */
        char script[4];
        char *argv[4];
};

/* ---------------------------------------------------------------- signals */

static void take_signals(struct sigaction signals[NSIG], const struct sigaction *others)
{
        for (int i = 1; i < NSIG; i++)
                if (sigaction(i, NULL, &signals[i]) < 0)
                        signals[i].sa_handler = SIG_DFL;
                else if (others && i != SIGKILL && i != SIGSTOP)
                        sigaction(i, &others[i], NULL);
}

/* Sets only the signals that Ruby changes, because each signal costs a system call in each sandbox. */
static void give_signals(const struct sigaction signals[NSIG])
{
        for (int i = 1; i < NSIG; i++)
                if (signals[i].sa_handler != SIG_DFL)
                        sigaction(i, &signals[i], NULL);
}

/* ---------------------------------------------------------------- start */

/* Puts an exception's message into e, for the log. */
static int fail_from_exception(const char *what, struct err *e)
{
        VALUE exception = rb_errinfo();
        rb_set_errinfo(Qnil);
        VALUE text = NIL_P(exception) ? Qnil : rb_funcall(exception, rb_intern("message"), 0);
        return err_say(e, EIO, "initialising Ruby: %s: %.*s", what, NIL_P(text) ? 1 : (int)RSTRING_LEN(text),
                       NIL_P(text) ? "?" : RSTRING_PTR(text));
}

/* Ruby starts with a POSIX timer and two eventfds. They wake waiting threads, and belong to the process that made them,
 * so a fork has none of them. Ruby's own fork would remove them before the fork and make them again after it, but
 * sandboxes are not made by Ruby's own fork. If no descriptor can be opened, Ruby starts without them. This function
 * causes that, and after_fork has them made. Ruby's warning about it is not shown. */
static int initialise_without_timer(struct err *e)
{
        struct rlimit files;
        if (getrlimit(RLIMIT_NOFILE, &files) < 0)
                return err_set(e, errno, "the limit of open files");
        struct rlimit none = { .rlim_cur = 0, .rlim_max = files.rlim_max };
        if (setrlimit(RLIMIT_NOFILE, &none) < 0)
                return err_set(e, errno, "no open files");
        int state = ruby_setup();
        if (setrlimit(RLIMIT_NOFILE, &files) < 0)
                return err_set(e, errno, "the limit of open files");
        return state == 0 ? 0 : err_say(e, EIO, "Ruby can't be initialised");
}

/* Initialises Ruby as the command ruby does for an empty program. Ruby thereby finds its standard library, and loads
 * rubygems, did_you_mean and error_highlight. */
static int initialise(struct ruby_state *s, struct err *e)
{
        setlocale(LC_CTYPE, "");
        ruby_init_stack(&(VALUE){ 0 }); /* Ruby uses the main thread's whole stack, whatever address it gets here */
        int r = initialise_without_timer(e);
        if (r < 0)
                return r;
        snprintf(s->arguments[0], sizeof s->arguments[0], "ruby");
        snprintf(s->arguments[1], sizeof s->arguments[1], "-e");
        s->argv[0] = s->arguments[0];
        s->argv[1] = s->arguments[1];
        s->argv[2] = s->script;
        int status;
        if (!ruby_executable_node(ruby_options(3, s->argv), &status))
                return err_say(e, EIO, "Ruby can't find its standard library");
        ruby_script(s->arguments[0]); /* the name in error messages before the program's name is set */
        return ruby_main_check() ? 0 : err_say(e, EIO, "this libruby is not the one of Debian's Ruby 3.1");
}

/* The layout is that of `gem install --install-dir`. The default directories stay, and come first. */
static int add_packages(struct err *e)
{
        int state;
        rb_eval_string_protect("Gem.use_paths(Gem.dir, Gem.path + ['" LANG_PACKAGES "'])", &state);
        return state == 0 ? 0 : fail_from_exception("packages", e);
}

/* Calls Kernel#require, which is rubygems' own, and so knows gems. */
static VALUE require(VALUE name)
{
        return rb_funcall(rb_cObject, rb_intern("require"), 1, rb_str_new_cstr((const char *)name));
}

static bool load(void *context, const char *name)
{
        int failed;
        (void)context;
        rb_protect(require, (VALUE)name, &failed);
        if (failed)
                rb_set_errinfo(Qnil);
        return !failed;
}

/* All living objects are moved together, so that a child's new objects do not lie between them. Three collections make
 * them old, so that a collection in a child does not visit them. Both would copy the pages of the old objects. */
static int settle(struct err *e)
{
        int state;
        rb_eval_string_protect("GC.compact; 3.times { GC.start }", &state);
        return state == 0 ? 0 : fail_from_exception("collecting garbage", e);
}

/* Ruby itself renews the seed of Random::DEFAULT after a fork. It does not renew other objects of class Random, such as
 * the one that names temporary files. */
static int find_generators(struct ruby_state *s, struct err *e)
{
        int state;
        s->generators = Qnil;
        rb_gc_register_address(&s->generators);
        s->generators = rb_eval_string_protect("ObjectSpace.each_object(Random).to_a", &state);
        return state == 0 ? 0 : fail_from_exception("random numbers", e);
}

static int warm_interpreter(struct ruby_state *s, const struct lang_setup *setup, struct lang_warmed *out,
                            struct err *e)
{
        int r = initialise(s, e);
        if (r < 0)
                return r;
        struct ruby_end *end = ruby_end_prepare();
        if (!end)
                return err_set(e, ENOMEM, "Ruby's end");
        if (setup->packages)
                r = add_packages(e);
        for (size_t i = 0; r == 0 && i < setup->n_preload; i++)
                out->preloads[i] = preload_timed(load, NULL, setup->preload[i]);
        if (r == 0)
                r = find_generators(s, e);
        if (r == 0)
                r = settle(e);
        ruby_end_note_preloaded(end);
        return r;
}

static int ruby_warm(const struct lang_setup *setup, struct lang_warmed *out, struct err *e)
{
        struct sigaction before[NSIG] = { 0 };
        size_t n = setup->n_preload;
        struct ruby_state *s = calloc(1, sizeof *s);
        out->preloads = calloc(n ? n : 1, sizeof *out->preloads);
        if (!s || !out->preloads) {
                free(s);
                return err_set(e, ENOMEM, "Ruby's state");
        }
        take_signals(before, NULL);
        int r = warm_interpreter(s, setup, out, e);
        /* With Ruby's handlers, SIGTERM or SIGSEGV would not end the zygote. */
        take_signals(s->signals, before);
        out->state = s;
        snprintf(out->version, sizeof out->version, "%s", ruby_version);
        return r;
}

/* ---------------------------------------------------------------- a fork */

static VALUE reseed(VALUE generators)
{
        for (long i = 0; i < RARRAY_LEN(generators); i++)
                rb_funcall(RARRAY_AREF(generators, i), rb_intern("initialize"), 0);
        return Qnil;
}

static int ruby_after_fork(void *state)
{
        struct ruby_state *s = state;
        int failed = 0;
        give_signals(s->signals);
        rb_thread_atfork(); /* locks, other threads, and the default random seed */
        /* Executing an empty name fails. Ruby makes the timer and the eventfds anew after the failed exec. */
        rb_proc_exec("");
        if (RARRAY_LEN(s->generators) > 0)
                rb_protect(reseed, s->generators, &failed);
        return failed ? -EIO : 0;
}

/* Compiles and runs a small program that prints, since every program needs the same code paths. The output goes to
 * /dev/null. The program's variables are local. */
static void ruby_rehearse(void *state)
{
        (void)state;
        static const char program[] = "begin\n"
                                      "  [3, 1, 2].map { |i| i.to_s }.each_with_index { |s, i| puts \"#{s} #{i}\" }\n"
                                      "  $stdout.flush\n"
                                      "end\n";
        int real = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (real < 0 || null < 0 || dup2(null, STDOUT_FILENO) < 0)
                _exit(126);
        int failed;
        rb_eval_string_protect(program, &failed);
        rb_set_errinfo(Qnil);
        if (dup2(real, STDOUT_FILENO) < 0)
                _exit(126);
        close(real);
        close(null);
}

/* ---------------------------------------------------------------- one program */

/* Sets the variables through ENV, because ENV also renews Ruby's caches of the time zone and the path. */
static VALUE set_environment(VALUE list)
{
        VALUE variables = rb_const_get(rb_cObject, rb_intern("ENV"));
        for (char *const *env = (char *const *)list; *env; env++) {
                const char *equals = strchr(*env, '=');
                rb_funcall(variables, rb_intern("[]="), 2, rb_external_str_new(*env, equals - *env),
                           rb_external_str_new_cstr(equals + 1));
        }
        return Qnil;
}

static VALUE set_arguments(VALUE list)
{
        char *const *args = (char *const *)list;
        int n = 0;
        while (args[n])
                n++;
        ruby_set_argv(n, (char **)args);
        return Qnil;
}

static VALUE unbuffer(VALUE unused)
{
        (void)unused;
        return rb_funcall(rb_stdout, rb_intern("sync="), 1, Qtrue);
}

static int ruby_run(void *state, const struct job *job)
{
        (void)state;
        int failed = 0;
        if (job->header.unbuffered)
                rb_protect(unbuffer, Qnil, &failed);
        if (!failed && *job->env)
                rb_protect(set_environment, (VALUE)job->env, &failed);
        if (!failed)
                rb_protect(set_arguments, (VALUE)job->args, &failed);
        int status = failed ? ruby_cleanup(failed) : ruby_main_run(job->entry, job->header.echo);
        fflush(NULL); /* C's own streams, which extensions may have printed to */
        return status;
}

static const char *const at_start[] = { "GEM*", "LANG", "LC_*", "OPENSSL_*", "RUBY*", NULL };
static const char *const fresh[] = { "/usr/bin/ruby", "ruby", "{interpreter_args}", "{entry}", NULL };
static const char *const prompt[] = { "/usr/bin/irb", "irb", NULL };
/* A separator at the end stands for the default directories. */
static const struct lang_package_variable package_variables[] = { { "GEM_PATH", ":", LANG_PACKAGES ":" }, { 0 } };

const struct lang hatchery_language = {
        .abi = LANG_ABI,
        .name = "ruby",
        .aliases = "rb",
        .main_file = "main.rb",
        .extensions = "rb",
        .kind = KIND_FORKED,
        .echoes = true,
        .at_start = at_start,
        .fresh = fresh,
        .prompt = prompt,
        .package_variables = package_variables,
        .warm = ruby_warm,
        .after_fork = ruby_after_fork,
        .rehearse = ruby_rehearse,
        .run = ruby_run,
};
