/* Prolog: SWI-Prolog is embedded and initialised once. A child works like `swipl -g true -t halt FILE ARGS...`: it
 * loads the file, runs its directives and the goals registered by initialization/1 and /2, and ends.
 *
 * swipl itself reads its command line, and then calls two Prolog predicates: '$initialise'/0, which loads and runs the
 * file, and '$toplevel'/0. The zygote has called both without a file; a child calls both once more with a file. */
#include "lang/lang.h"
#include "lang/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <SWI-Stream.h>

#include <SWI-Prolog.h>
#include <unistd.h>

#define HOME_VARIABLE "SWI_HOME_DIR"

/* Libraries that nearly every program autoloads. They are not imported, so that a program can define its own
 * append/3. */
#define USUAL "[lists, apply, error, option, pairs, readutil]"

/* The words that `swipl` would get before FILE and the arguments. */
static const char *const options[] = { "swipl", "-g", "true", "-t", "halt" };
enum { N_OPTIONS = sizeof options / sizeof options[0] };

/* Calls the goal. False if it fails or raises an exception. */
static bool call_term(term_t goal)
{
        return PL_call_predicate(NULL, PL_Q_CATCH_EXCEPTION | PL_Q_NODEBUG, PL_predicate("call", 1, "system"), goal);
}

static bool call_text(const char *text)
{
        fid_t frame = PL_open_foreign_frame();
        term_t goal = PL_new_term_ref();
        bool done = PL_chars_to_term(text, goal) && call_term(goal);
        PL_discard_foreign_frame(frame);
        return done;
}

/* text is `Variable-Goal`. The variable becomes the atom, whose text may be anything. */
static bool call_with_atom(const char *text, const char *atom)
{
        fid_t frame = PL_open_foreign_frame();
        term_t pair = PL_new_term_ref(), variable = PL_new_term_ref(), goal = PL_new_term_ref();
        bool done = PL_chars_to_term(text, pair) && PL_get_arg(1, pair, variable) && PL_get_arg(2, pair, goal) &&
                    PL_unify_chars(variable, PL_ATOM | REP_MB, (size_t)-1, atom) && call_term(goal);
        PL_discard_foreign_frame(frame);
        return done;
}

static bool load_library(void *context, const char *name)
{
        static const char load[] = "Name-load_files(library(Name), [if(not_loaded), imports([])])";
        (void)context;
        return call_with_atom(load, name);
}

/* *out is the command line. Prolog keeps a pointer to it.
 *
 * The library looks for its home directory next to the executable, which is not swipl here, or in an environment
 * variable. The variable is removed again, so that a program does not see it. */
static int initialise(char ***out, struct err *e)
{
        char **argv = calloc(N_OPTIONS + 1, sizeof *argv);
        *out = argv;
        if (!argv)
                return err_set(e, ENOMEM, "the command line");
        for (size_t i = 0; i < N_OPTIONS; i++)
                argv[i] = strdup(options[i]);
        if (setenv(HOME_VARIABLE, SWIPL_HOME, 1) < 0)
                return err_set(e, errno, "the environment");
        int done = PL_initialise(N_OPTIONS, argv);
        unsetenv(HOME_VARIABLE);
        return done ? 0 : err_say(e, EIO, "SWI-Prolog can't be initialised");
}

static int find_version(char version[LANG_VERSION_SIZE], struct err *e)
{
        int number = 0; /* for example, 90004 is 9.0.4 */
        term_t value = PL_new_term_refs(2);
        if (!PL_put_atom_chars(value, "version") ||
            !PL_call_predicate(NULL, PL_Q_CATCH_EXCEPTION, PL_predicate("current_prolog_flag", 2, "system"), value) ||
            !PL_get_integer(value + 1, &number))
                return err_say(e, EIO, "SWI-Prolog does not tell its version");
        snprintf(version, LANG_VERSION_SIZE, "%d.%d.%d", number / 10000, number / 100 % 100, number % 100);
        return 0;
}

static int prolog_warm(const struct lang_setup *setup, struct lang_warmed *out, struct err *e)
{
        size_t n = setup->n_preload;
        char **argv;
        int r = initialise(&argv, e);
        out->state = argv;
        if (r == 0)
                r = find_version(out->version, e);
        if (r < 0)
                return r;
        /* The collector of atoms and clauses is a thread that starts when there is work. That thread must not start
         * here. */
        if (!call_text("set_prolog_flag(gc_thread, false)"))
                return err_say(e, EIO, "SWI-Prolog's collector can't be kept from starting");
        if (setup->packages && !call_with_atom("D-attach_packs(D)", setup->packages))
                return err_say(e, EIO, "SWI-Prolog does not accept the directory of packs");
        if (!call_text("forall('$member'(M, " USUAL "), load_files(library(M), [if(not_loaded), imports([])]))"))
                return err_say(e, EIO, "SWI-Prolog's library can't be loaded");
        out->preloads = calloc(n ? n : 1, sizeof *out->preloads);
        if (!out->preloads)
                return err_set(e, ENOMEM, "the preloaded modules");
        for (size_t i = 0; i < n; i++)
                out->preloads[i] = preload_timed(load_library, NULL, setup->preload[i]);
        if (!call_text("set_prolog_flag(gc_thread, true)") || !call_text("garbage_collect_atoms"))
                return err_say(e, EIO, "SWI-Prolog's collector can't be set");
        return 0;
}

/* Renews what differs from the zygote: the pid, the directory, and the random seed. */
static int prolog_after_fork(void *state)
{
        char directory[4096];
        (void)state;
        if (!getcwd(directory, sizeof directory))
                return -errno;
        if (!PL_set_prolog_flag("pid", PL_INTEGER | FF_FORCE, (intptr_t)getpid()) ||
            !call_with_atom("D-working_directory(_, D)", directory) || !call_text("set_random(seed(random))"))
                return -EIO;
        return 0;
}

/* Compiles a clause, runs it, reads and prints. Its output goes nowhere. */
static void prolog_rehearse(void *state)
{
        (void)state;
        IOPOS position = *Soutput->position; /* restored below: the rehearsal's lines must not be counted */
        int real = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (real < 0 || null < 0 || dup2(null, STDOUT_FILENO) < 0)
                _exit(126);
        call_text("( term_to_atom(T, 'f(X, [Y|Z], \"s\", 0.5) :- g(X), h(Y, Z)'), assertz(hatchery_rehearsal:T, R),"
                  "  format('~w ~q ~a ~d~n', [T, 'A b', c, 42]), writeln(x), flush_output, erase(R),"
                  "  findall(N-L, (between(1, 50, N), lists:numlist(1, N, L)), P), msort(P, _),"
                  "  catch(atom_length(_, _), _, true) )");
        if (dup2(real, STDOUT_FILENO) < 0)
                _exit(126);
        close(real);
        close(null);
        *Soutput->position = position;
}

/* ---------------------------------------------------------------- one program */

/* Makes a list of the first words, the entry, and the arguments, in the encoding in which swipl reads its command
 * line. */
static bool put_list(term_t list, const char *const *words, size_t n_words, const struct job *job)
{
        term_t item = PL_new_term_ref();
        bool done = PL_put_nil(list);
        for (size_t i = job->header.n_args; done && i > 0; i--)
                done = PL_unify_chars(item, PL_ATOM | REP_MB, (size_t)-1, job->args[i - 1]) &&
                       PL_cons_list(list, item, list) && PL_put_variable(item);
        done = done && PL_unify_chars(item, PL_ATOM | REP_MB, (size_t)-1, job->entry) &&
               PL_cons_list(list, item, list) && PL_put_variable(item);
        for (size_t i = n_words; done && i > 0; i--)
                done = PL_put_atom_chars(item, words[i - 1]) && PL_cons_list(list, item, list);
        return done;
}

static bool set_command_line(const struct job *job)
{
        fid_t frame = PL_open_foreign_frame();
        term_t flag = PL_new_term_refs(3);
        bool done = PL_put_atom_chars(flag, "argv") && put_list(flag + 1, NULL, 0, job) &&
                    PL_call_predicate(NULL, PL_Q_CATCH_EXCEPTION, PL_predicate("set_prolog_flag", 2, "system"), flag);
        done = done && PL_put_atom_chars(flag, "os_argv") && put_list(flag + 1, options, N_OPTIONS, job) &&
               PL_chars_to_term("[access(read_only), type(term)]", flag + 2) &&
               PL_call_predicate(NULL, PL_Q_CATCH_EXCEPTION, PL_predicate("create_prolog_flag", 3, "system"), flag);
        PL_discard_foreign_frame(frame);
        return done;
}

static int prolog_run(void *state, const struct job *job)
{
        (void)state;
        for (char *const *variable = job->env; *variable; variable++)
                if (putenv(*variable) != 0)
                        return 1;
        if (!set_command_line(job))
                return 1;
        if (job->header.unbuffered && !call_text("set_stream(user_output, buffer(false))"))
                return 1;
        /* The rest is what PL_initialise and swipl's main do. */
        term_t none = PL_new_term_refs(0);
        if (!PL_call_predicate(NULL, PL_Q_NORMAL, PL_predicate("$initialise", 0, "system"), none))
                PL_halt(1);
        for (;;)
                PL_halt(PL_toplevel() ? 0 : 1); /* returns if a hook cancels the halt, which works about ten times */
}

static const char *const at_start[] = { "LANG", "LC_*", "SWI*", NULL };
static const char *const fresh[] = { "/usr/bin/swipl", "swipl",         "{interpreter_args}",
                                     "{program}-g",    "{program}true", "{program}-t",
                                     "{program}halt",  "{entry}",       NULL };
static const char *const prompt[] = { "/usr/bin/swipl", "swipl", NULL };

const struct lang hatchery_language = {
        .abi = LANG_ABI,
        .name = "prolog",
        .aliases = "swipl", /* the extension pl belongs to Perl, whose programs use it more often */
        .main_file = "main.pl",
        .extensions = "pro prolog plt",
        .kind = KIND_FORKED,
        .at_start = at_start,
        .fresh = fresh,
        .prompt = prompt,
        .warm = prolog_warm,
        .after_fork = prolog_after_fork,
        .rehearse = prolog_rehearse,
        .run = prolog_run,
};
