/* Tcl: an interpreter initialised once, and a child that runs a file as `tclsh FILE` would.
 *
 * Tcl starts a thread for events when it first waits, so the zygote must not make it wait: no vwait, no file events, no
 * update before the fork. */
#include "lang/exit.h"
#include "lang/lang.h"
#include "lang/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>
#include <tcl.h>
#include <unistd.h>

#define PROGRAM "tclsh" /* found in PATH, as by a shell; the value of `info nameofexecutable` */

struct tcl {
        Tcl_Interp *interp;
        const char *packages; /* NULL for none */
};

/* ---------------------------------------------------------------- an interpreter */

/* Adds the packages after the library's own directories, so that packages hide nothing there. */
static int add_packages(Tcl_Interp *interp, const char *directory)
{
        Tcl_Obj *item = Tcl_NewStringObj(directory, -1);
        int flags = TCL_GLOBAL_ONLY | TCL_LEAVE_ERR_MSG | TCL_APPEND_VALUE | TCL_LIST_ELEMENT;
        if (!Tcl_SetVar2Ex(interp, "auto_path", NULL, item, flags))
                return TCL_ERROR;
        Tcl_Obj *command = Tcl_ObjPrintf("::tcl::tm::path add {%s}", directory);
        Tcl_IncrRefCount(command);
        int r = Tcl_EvalObjEx(interp, command, TCL_EVAL_GLOBAL);
        Tcl_DecrRefCount(command);
        return r;
}

/* Makes an interpreter like tclsh's. NULL without memory, or if the script library is missing: *broken is then NULL, or
 * an interpreter whose result is the error's text. */
static Tcl_Interp *make_interp(const char *packages, Tcl_Interp **broken)
{
        Tcl_Interp *interp = Tcl_CreateInterp();
        Tcl_InitMemory(interp);
        Tcl_SetVar2Ex(interp, "tcl_interactive", NULL, Tcl_NewIntObj(0), TCL_GLOBAL_ONLY);
        int r = Tcl_Init(interp);
        if (r == TCL_OK && packages)
                r = add_packages(interp, packages);
        if (r != TCL_OK) {
                *broken = interp;
                return NULL;
        }
        Tcl_SetVar2(interp, "tcl_rcFileName", NULL, "~/.tclshrc", TCL_GLOBAL_ONLY);
        return interp;
}

/* `clock` is no package, but its four thousand lines are loaded when it is first used, which takes 7 ms. `clock` is not
 * loaded ahead by default, since a program can see that: msgcat is loaded with it. */
static bool load(Tcl_Interp *interp, const char *name)
{
        if (strcmp(name, "clock") == 0)
                return Tcl_EvalEx(interp, "clock format 0 -gmt 1", -1, TCL_EVAL_GLOBAL) == TCL_OK;
        return Tcl_PkgRequire(interp, name, NULL, 0) != NULL;
}

static bool load_package(void *context, const char *name)
{
        Tcl_Interp *interp = context;
        bool loaded = load(interp, name);
        Tcl_ResetResult(interp);
        return loaded;
}

static int tcl_warm(const struct lang_setup *setup, struct lang_warmed *out, struct err *e)
{
        size_t n = setup->n_preload;
        struct tcl *tcl = calloc(1, sizeof *tcl);
        Tcl_Interp *broken = NULL;
        out->state = tcl;
        out->preloads = calloc(n ? n : 1, sizeof *out->preloads);
        if (!tcl || !out->preloads)
                return err_set(e, ENOMEM, "make Tcl's state");
        tcl->packages = setup->packages;
        Tcl_FindExecutable(PROGRAM);
        tcl->interp = make_interp(setup->packages, &broken);
        if (!tcl->interp)
                return err_say(e, EIO, "initialising Tcl: %s", Tcl_GetStringResult(broken));
        for (size_t i = 0; i < n; i++)
                out->preloads[i] = preload_timed(load_package, tcl->interp, setup->preload[i]);
        const char *version = Tcl_GetVar2(tcl->interp, "tcl_patchLevel", NULL, TCL_GLOBAL_ONLY);
        snprintf(out->version, sizeof out->version, "%s", version ? version : TCL_PATCH_LEVEL);
        return 0;
}

/* Gives rand() a random seed. By itself it takes its seed from the clock, and two forks may read the same time. */
static int seed(Tcl_Interp *interp)
{
        uint32_t chance;
        if (getrandom(&chance, sizeof chance, 0) != sizeof chance)
                return -EIO;
        Tcl_Obj *expression = Tcl_ObjPrintf("srand(%d)", (int)(chance & 0x7fffffff));
        Tcl_IncrRefCount(expression);
        Tcl_Obj *result = NULL;
        int r = Tcl_ExprObj(interp, expression, &result);
        if (r == TCL_OK)
                Tcl_DecrRefCount(result);
        Tcl_DecrRefCount(expression);
        return r == TCL_OK ? 0 : -EIO;
}

static int tcl_after_fork(void *state)
{
        struct tcl *tcl = state;
        if (exit_without_zygote() != 0)
                return -ENOMEM;
        /* Makes the channels here, on the sandbox's pipes. Otherwise the first print would make them. That print is in
         * the rehearsal, whose output goes to /dev/null. */
        Tcl_GetStdChannel(TCL_STDOUT);
        return seed(tcl->interp);
}

/* Compiles and runs a small program that prints. Its output is discarded, and its names are local. */
static void tcl_rehearse(void *state)
{
        const struct tcl *tcl = state;
        static const char program[] = "apply {{} {\n"
                                      "    set l {}\n"
                                      "    for {set i 0} {$i < 3} {incr i} {lappend l [expr {$i * 2}]}\n"
                                      "    puts [join $l]\n"
                                      "    flush stdout\n"
                                      "}}";
        int real = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (real < 0 || null < 0 || dup2(null, STDOUT_FILENO) < 0)
                _exit(126);

        if (Tcl_EvalEx(tcl->interp, program, -1, TCL_EVAL_GLOBAL) != TCL_OK)
                _exit(126);
        Tcl_ResetResult(tcl->interp);

        if (dup2(real, STDOUT_FILENO) < 0)
                _exit(126);
        close(real);
        close(null);
}

/* ---------------------------------------------------------------- one program */

/* A string of the system's encoding. */
static Tcl_Obj *native(const char *text, int len)
{
        Tcl_DString utf8;
        Tcl_ExternalToUtfDString(NULL, text, len, &utf8);
        Tcl_Obj *object = Tcl_NewStringObj(Tcl_DStringValue(&utf8), Tcl_DStringLength(&utf8));
        Tcl_DStringFree(&utf8);
        return object;
}

static bool begins(const char *text, const char *prefix)
{
        return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* True for variables that Tcl reads when it starts: the places of its libraries, and the encoding. */
static bool concerns_start(const char *variable)
{
        return begins(variable, "TCL") || begins(variable, "LANG") || begins(variable, "LC_");
}

/* Returns true if a new interpreter is needed, since a started one does not read such variables again. */
static bool set_environment(char *const *env)
{
        bool concerns = false;
        for (; *env; env++) {
                putenv(*env); /* a job's strings stay where they are */
                concerns |= concerns_start(*env);
        }
        return concerns;
}

/* Makes the array env as it is after a start with these variables. */
static void set_env(Tcl_Interp *interp, char *const *env)
{
        Tcl_Obj *array = Tcl_NewStringObj("env", -1);
        Tcl_IncrRefCount(array);
        for (; *env; env++) {
                int len = (int)strcspn(*env, "=");
                Tcl_Obj *name = native(*env, len);
                Tcl_IncrRefCount(name);
                Tcl_ObjSetVar2(interp, array, name, native(*env + len + 1, -1), TCL_GLOBAL_ONLY);
                Tcl_DecrRefCount(name);
        }
        Tcl_DecrRefCount(array);
}

/* The channels of the standard streams have taken the encoding from the first interpreter. */
static void set_encoding(Tcl_Interp *interp)
{
        Tcl_DString name;
        Tcl_SetSystemEncoding(NULL, Tcl_GetEncodingNameFromEnvironment(&name));
        Tcl_Channel out = Tcl_GetStdChannel(TCL_STDOUT);
        if (out)
                Tcl_SetChannelOption(interp, out, "-encoding", Tcl_DStringValue(&name));
        Tcl_DStringFree(&name);
}

static Tcl_Interp *restart(const struct tcl *tcl)
{
        Tcl_Interp *broken = NULL;
        setlocale(LC_CTYPE, "");
        set_encoding(tcl->interp);
        Tcl_Interp *interp = make_interp(tcl->packages, &broken);
        /* Like tclsh, reports that the library is missing, and goes on without it. */
        Tcl_Channel err = interp ? NULL : Tcl_GetStdChannel(TCL_STDERR);
        if (err) {
                Tcl_WriteChars(err, "application-specific initialization failed: ", -1);
                Tcl_WriteObj(err, Tcl_GetObjResult(broken));
                Tcl_WriteChars(err, "\n", 1);
        }
        if (!interp)
                interp = broken;
        seed(interp);
        return interp;
}

static void set_arguments(Tcl_Interp *interp, const struct job *job)
{
        Tcl_Obj *list = Tcl_NewListObj(0, NULL);
        for (char **argument = job->args; *argument; argument++)
                Tcl_ListObjAppendElement(NULL, list, native(*argument, -1));
        Tcl_SetVar2Ex(interp, "argv0", NULL, native(job->entry, -1), TCL_GLOBAL_ONLY);
        Tcl_SetVar2Ex(interp, "argc", NULL, Tcl_NewIntObj((int)job->header.n_args), TCL_GLOBAL_ONLY);
        Tcl_SetVar2Ex(interp, "argv", NULL, list, TCL_GLOBAL_ONLY);
}

static void print_error(Tcl_Interp *interp, int code)
{
        Tcl_Channel err = Tcl_GetStdChannel(TCL_STDERR);
        if (!err)
                return;
        Tcl_Obj *options = Tcl_GetReturnOptions(interp, code), *text = NULL;
        Tcl_Obj *key = Tcl_NewStringObj("-errorinfo", -1);
        Tcl_IncrRefCount(options);
        Tcl_IncrRefCount(key);
        Tcl_DictObjGet(NULL, options, key, &text);
        if (text)
                Tcl_WriteObj(err, text);
        Tcl_WriteChars(err, "\n", 1);
        Tcl_DecrRefCount(key);
        Tcl_DecrRefCount(options);
}

/* Ends by the command exit, which a program may have replaced; if that returns, ends all the same. */
static _Noreturn void end(Tcl_Interp *interp, int status)
{
        if (!Tcl_InterpDeleted(interp) && !Tcl_LimitExceeded(interp)) {
                Tcl_Obj *command = Tcl_ObjPrintf("exit %d", status);
                Tcl_IncrRefCount(command);
                Tcl_EvalObjEx(interp, command, TCL_EVAL_GLOBAL);
                Tcl_DecrRefCount(command);
        }
        Tcl_Exit(status);
        _exit(status); /* Tcl_Exit does not return, but is not declared so */
}

static int tcl_run(void *state, const struct job *job)
{
        const struct tcl *tcl = state;
        bool again = set_environment(job->env);
        Tcl_Interp *interp = again ? restart(tcl) : tcl->interp;
        if (!again)
                set_env(interp, job->env);

        Tcl_Channel out = job->header.unbuffered ? Tcl_GetStdChannel(TCL_STDOUT) : NULL;
        if (out)
                Tcl_SetChannelOption(NULL, out, "-buffering", "none");
        Tcl_Preserve(interp);
        set_arguments(interp, job);
        Tcl_Obj *path = native(job->entry, -1);
        Tcl_IncrRefCount(path);
        Tcl_SetStartupScript(path, NULL);
        Tcl_ResetResult(interp);
        int code = Tcl_FSEvalFileEx(interp, path, NULL);
        if (code != TCL_OK)
                print_error(interp, code);
        end(interp, code == TCL_OK ? 0 : 1);
}

/* The command for a job that sets a variable of libc or of the dynamic linker (lang/startup.c): a running process no
 * longer reads those. A job that sets only Tcl's own variables gets a new interpreter in the same process. */
static const char *const fresh[] = { "/usr/bin/tclsh", PROGRAM, "{interpreter_args}", "{entry}", NULL };
static const char *const prompt[] = { "/usr/bin/tclsh", PROGRAM, NULL };
static const struct lang_package_variable package_variables[] = { { "TCLLIBPATH", " ", LANG_PACKAGES }, { 0 } };

const struct lang hatchery_language = {
        .abi = LANG_ABI,
        .name = "tcl",
        .aliases = "tclsh",
        .main_file = "main.tcl",
        .extensions = "tcl",
        .kind = KIND_FORKED,
        .fresh = fresh,
        .prompt = prompt,
        .package_variables = package_variables,
        .warm = tcl_warm,
        .after_fork = tcl_after_fork,
        .rehearse = tcl_rehearse,
        .run = tcl_run,
};
