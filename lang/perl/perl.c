/* Perl: an interpreter that pauses at the first line of its program. It is forked there, and the child gives it the
 * program.
 *
 * `perl main.pl` is perl_parse, perl_run and perl_destruct. In the zygote perl_parse begins, on a stack of its own, and
 * stops where it would read the first line of the file. A child opens the real file there and lets perl_parse go on. So
 * perl itself does everything that the program then sees, from BEGIN to END, from DATA to the texts of errors. A filter
 * on the source makes the pause: perl calls it in the lexer, for each line. */
#include "lang/lang.h"
#include "lang/perl/headers.h"
#include "lang/perl/modules.h"
#include "lang/preload.h"
#include "proto/base/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#define PROGRAM "/usr/bin/perl"            /* the value of $^X: Debian's own interpreter of the same version */
#define LIBRARY LANG_PACKAGES "/lib/perl5" /* where local::lib puts modules */
#define SELF    "hatchery.perl"            /* the key of struct perl in PL_modglobal */

/* Modules that nearly every program loads in its first lines. */
static const char *const always[] = { "strict",   "warnings", "utf8", "feature",  "vars",       "constant",    "parent",
                                      "overload", "Exporter", "Carp", "XSLoader", "List::Util", "Scalar::Util" };

enum order { REHEARSE, RUN };

enum { PATH_SIZE = 4096 };

#define STACK_LEAST ((size_t)8 << 20)
#define STACK_MOST  ((size_t)64 << 20)

struct perl {
        PerlInterpreter *interpreter;
        struct stack *stack;
        const struct lang_setup *setup;
        struct lang_warmed *warmed;
        char *argv[3];
        char words[32];
        char search_path[PATH_SIZE]; /* one line for each directory */
        enum order order;            /* the order for the code that is paused inside */
        const struct job *job;
        bool is_warm, has_ended;
        int status;
};

/* As large as the process's own stack may become, in units of 64 KiB. */
static size_t stack_room(void)
{
        struct rlimit limit;
        if (getrlimit(RLIMIT_STACK, &limit) < 0 || limit.rlim_cur < STACK_LEAST)
                return STACK_LEAST;
        return limit.rlim_cur > STACK_MOST ? STACK_MOST : (size_t)limit.rlim_cur & ~(size_t)0xffff;
}

/* ---------------------------------------------------------------- inside: a program begins */

/* Perl writes an assignment to $0 over this memory, so that the process shows that name. */
static void set_arguments(pTHX_ const struct job *job)
{
        static const char command[] = "perl";
        size_t size = sizeof command + strlen(job->entry) + 1, n = job->header.n_args;
        for (size_t i = 0; i < n; i++)
                size += strlen(job->args[i]) + 1;
        char **argv = safesyscalloc(n + 3, sizeof *argv); /* without memory, perl ends with "Out of memory!" */
        char *block = safesysmalloc(size), *at = block;
        AV *list = GvAVn(gv_fetchpvs("ARGV", GV_ADD | GV_NOTQUAL, SVt_PVAV));
        av_clear(list);
        for (size_t i = 0; i < n + 2; i++) {
                const char *word = i == 0 ? command : i == 1 ? job->entry : job->args[i - 2];
                argv[i] = at;
                at = stpcpy(at, word) + 1;
                if (i >= 2)
                        av_push(list, newSVpv(word, 0));
        }
        PL_origargv = argv;
        PL_origargc = (int)n + 2;
        PL_origalen = (U32)size - 1;
}

static void set_environment(pTHX_ char *const *env)
{
        for (; *env; env++) {
                const char *equals = strchr(*env, '=');
                SV **value = hv_fetch(GvHVn(PL_envgv), *env, (I32)(equals - *env), 1);
                if (value) {
                        sv_setpv(*value, equals + 1);
                        SvSETMAGIC(*value);
                }
        }
}

static void set_name(pTHX_ const char *entry)
{
        Safefree(PL_origfilename);
        PL_origfilename = savepv(entry);
        CopFILE_free(&PL_compiling);
        CopFILE_set(&PL_compiling, entry);
        sv_setpv(GvSVn(gv_fetchpvs("0", GV_ADD | GV_NOTQUAL, SVt_PV)), entry); /* without magic, so that the process is
                                                                                * still named perl */
}

static void open_program(pTHX_ const char *entry)
{
        PerlIO *file = PerlIO_open(entry, "r");
        struct stat st;
        if (file && fstat(PerlIO_fileno(file), &st) == 0 && S_ISDIR(st.st_mode)) {
                PerlIO_close(file);
                file = NULL;
                errno = EISDIR;
        }
        if (!file)
                Perl_croak(aTHX_ "Can't open perl script \"%s\": %s\n", entry, strerror(errno));
        PerlIO_close(PL_parser->rsfp);
        PL_parser->rsfp = file;
}

static void begin_program(pTHX_ const struct job *job)
{
        set_arguments(aTHX_ job);
        set_environment(aTHX_ job->env);
        set_name(aTHX_ job->entry);
        open_program(aTHX_ job->entry);
        if (job->header.unbuffered)
                IoFLAGS(GvIOp(PL_defoutgv)) |= IOf_FLUSH; /* $| = 1 for STDOUT */
        time(&PL_basetime);
        errno = 0;
}

/* ---------------------------------------------------------------- inside: before the program */

/* Translates and runs a program that prints: the paths that every program takes. Its output goes nowhere. */
static void rehearse(pTHX)
{
        static const char program[] = "my %h; my @l = map { $_ . 'x' } 1 .. 3; $h{$_} = length for @l;"
                                      "my $f = sub { my ($n) = @_; $n =~ /(\\d)/ ? $1 + $n : 0 };"
                                      "print STDOUT join(' ', map { $f->(1) } sort keys %h), qq{\\n};";
        ENTER;
        SAVETMPS;
        save_scalar(PL_errgv);
        eval_sv(sv_2mortal(newSVpvn(program, sizeof program - 1)), G_VOID | G_DISCARD);
        PerlIO_flush(PerlIO_stdout());
        FREETMPS;
        LEAVE;
        PL_evalseq = 0; /* so that the first eval of a string in the program is named "(eval 1)" */
        errno = 0;
}

static struct perl *self(pTHX)
{
        SV **found = hv_fetchs(PL_modglobal, SELF, 0);
        return INT2PTR(struct perl *, SvIV(*found));
}

/* The filter on the source. It is called for the first line of the program. */
static I32 stand_still(pTHX_ int index, SV *line, int length)
{
        struct perl *p = self(aTHX);
        (void)length;
        for (;;) {
                stack_leave(p->stack);
                if (p->order == RUN)
                        break;
                rehearse(aTHX);
        }
        (void)hv_deletes(PL_modglobal, SELF, G_DISCARD);
        begin_program(aTHX_ p->job);
        filter_del(stand_still);
        if (index == 0) { /* leave no trace of the filter */
                SvREFCNT_dec(PL_parser->rsfp_filters);
                PL_parser->rsfp_filters = NULL;
        }
        return sv_gets(line, PL_parser->rsfp, (I32)SvCUR(line)) ? 1 : 0;
}

static bool load_named(void *context, const char *name)
{
        PerlInterpreter *my_perl = context;
        return perl_modules_load(aTHX_ name);
}

/* Sets @INC to the plain command's list, because another list is compiled into libperl.so. */
static void set_search_path(pTHX_ const struct perl *p)
{
        AV *inc = GvAVn(PL_incgv);
        av_clear(inc);
        for (const char *line = p->search_path; *line;) {
                size_t len = strcspn(line, "\n");
                av_push(inc, newSVpvn(line, len));
                line += len + (line[len] == '\n');
        }
}

/* Called by a BEGIN block before the first line. */
static void load(pTHX_ CV *cv)
{
        struct perl *p = self(aTHX);
        sv_2mortal(SvREFCNT_inc_simple_NN(MUTABLE_SV(cv)));
        (void)hv_deletes(PL_defstash, "Hatchery::", G_DISCARD); /* a program must not see this name */
        sv_setpvs(GvSVn(gv_fetchpvs("\030", GV_ADD | GV_NOTQUAL, SVt_PV)), PROGRAM); /* $^X, which else would name the
                                                                                      * zygote's program */
        set_search_path(aTHX_ p);
        perl_modules_begin(aTHX);
        for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
                perl_modules_load(aTHX_ always[i]);
        for (size_t i = 0; i < p->setup->n_preload; i++)
                p->warmed->preloads[i] = preload_timed(load_named, aTHX, p->setup->preload[i]);
        perl_modules_hide(aTHX);
        PL_evalseq = 0;
        filter_add(stand_still, NULL);
        p->is_warm = true;
}

EXTERN_C void boot_DynaLoader(pTHX_ CV *cv);

static void add_functions(pTHX)
{
        newXS("DynaLoader::boot_DynaLoader", boot_DynaLoader, __FILE__);
        newXS("Hatchery::load", load, __FILE__);
        PL_preambleav = newAV(); /* as the option -M does */
        av_push(PL_preambleav, newSVpvs("BEGIN { &Hatchery::load }"));
}

static void live(void *context)
{
        struct perl *p = context;
        PerlInterpreter *my_perl = p->interpreter;
        if (perl_parse(my_perl, add_functions, 2, p->argv, NULL) == 0)
                perl_run(my_perl);
        p->status = perl_destruct(my_perl); /* END blocks, destructors, flushes; at level 0, no memory is freed */
        p->has_ended = true;
}

/* ---------------------------------------------------------------- outside */

static int ask_for_search_path(struct perl *p, struct err *e)
{
        /* NOLINTNEXTLINE(cert-env33-c): a constant line, in the zygote, whose environment is a sandbox's */
        FILE *answer = popen(PROGRAM " -e 'print map { qq($_\\n) } @INC'", "re");
        if (!answer)
                return err_set(e, errno, "start %s", PROGRAM);
        size_t len = fread(p->search_path, 1, sizeof p->search_path - 1, answer);
        int status = pclose(answer);
        if (status != 0 || len == 0 || len == sizeof p->search_path - 1)
                return err_say(e, EIO, "%s does not print its search path", PROGRAM);
        return 0;
}

static int perl_warm(const struct lang_setup *setup, struct lang_warmed *out, struct err *e)
{
        struct perl *p = calloc(1, sizeof *p);
        size_t n = setup->n_preload;
        out->preloads = calloc(n ? n : 1, sizeof *out->preloads);
        if (!p || !out->preloads)
                return err_set(e, ENOMEM,
                               "make Perl's state"); /* nothing is freed, since the zygote ends with this error */
        if (setup->packages && setenv("PERL5LIB", LIBRARY, 1) < 0)
                return err_set(e, errno, "set PERL5LIB");
        int r = ask_for_search_path(p, e);
        if (r < 0)
                return r;
        p->setup = setup;
        p->warmed = out;
        strcpy(p->words, "perl");
        p->argv[0] = p->words;
        p->argv[1] = strcpy(p->words + sizeof "perl", "/dev/null"); /* in place of the program */

        int argc = 2;
        char **argv = p->argv;
        PERL_SYS_INIT3(&argc, &argv, &environ);
        PerlInterpreter *my_perl = p->interpreter = perl_alloc();
        if (!my_perl)
                return err_set(e, ENOMEM, "make an interpreter");
        perl_construct(my_perl);
        PL_perl_destruct_level = 0;
        PL_exit_flags |= PERL_EXIT_DESTRUCT_END;
        (void)hv_stores(PL_modglobal, SELF, newSViv(PTR2IV(p)));
        p->stack = stack_new(stack_room(), live, p, e);
        if (!p->stack)
                return -e->code;
        stack_enter(p->stack);
        if (p->has_ended || !p->is_warm)
                return err_say(e, EIO, "Perl ended before the first line of a program");
        out->state = p;
        snprintf(out->version, sizeof out->version, "%d.%d.%d", PERL_REVISION, PERL_VERSION, PERL_SUBVERSION);
        return 0;
}

/* rand seeds itself at its first use. Hashes keep the zygote's hash function, but get an order of their own. */
static int perl_after_fork(void *state)
{
        struct perl *p = state;
        PerlInterpreter *my_perl = p->interpreter;
        struct {
                UV hash_order;
                U32 internal;
        } seed;
        if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
                return -EIO;
        PL_srand_called = FALSE;
        PL_hash_rand_bits = seed.hash_order;
        Perl_drand48_init_r(&PL_internal_random_state, seed.internal); /* used for the names of temporary files */
        return 0;
}

static void perl_rehearse(void *state)
{
        struct perl *p = state;
        int real = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (real < 0 || null < 0 || dup2(null, STDOUT_FILENO) < 0)
                _exit(126);
        p->order = REHEARSE;
        stack_enter(p->stack);
        if (p->has_ended || dup2(real, STDOUT_FILENO) < 0)
                _exit(126);
        close(real);
        close(null);
}

static int perl_run_job(void *state, const struct job *job)
{
        struct perl *p = state;
        p->order = RUN;
        p->job = job;
        stack_enter(p->stack);
        fflush(NULL); /* C's own streams: an extension may have printed to them */
        return p->status;
}

static const char *const at_start[] = { "LANG", "LANGUAGE", "LC_*", "PERL*", NULL };
/* No option of perl sets $|, so code behind an option -M does. 5.006 is a version, so this -M loads no module. */
static const char *const fresh[] = { PROGRAM,   "perl", "{unbuffered}-M5.006;BEGIN{$|=1}", "{interpreter_args}",
                                     "{entry}", NULL };
static const struct lang_package_variable package_variables[] = { { "PERL5LIB", ":", LIBRARY }, { 0 } };

const struct lang hatchery_language = {
        .abi = LANG_ABI,
        .name = "perl",
        .aliases = "perl5 pl",
        .main_file = "main.pl",
        .extensions = "pl",
        .kind = KIND_FORKED,
        .at_start = at_start,
        .fresh = fresh,
        .package_variables = package_variables,
        .warm = perl_warm,
        .after_fork = perl_after_fork,
        .rehearse = perl_rehearse,
        .run = perl_run_job,
};
