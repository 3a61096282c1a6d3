/* Python: CPython is embedded and initialised once. A child then runs a program as python3 would. */
#include "lang/lang.h"
#include "lang/python/arena.h"
#include "lang/python/echo.h"
#include "lang/python/end.h"
#include "lang/python/modules.h"
#include "lang/python/preload.h"
#include "lang/python/settings.h"
#include "lang/python/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The value of sys.executable, and the program that subprocess and multiprocessing start: Debian's own interpreter of
 * the same version.
 */
#define PROGRAM L"/usr/bin/python3"

enum { PATH_SIZE = JOB_PATH_MAX + 256 }; /* a program's file in the work directory */

static int fail_from_status(PyStatus status, struct err *e)
{
        return err_say(e, EIO, "initialising Python: %s: %s", status.func ? status.func : "?",
                       status.err_msg ? status.err_msg : "it wants to exit");
}

/* Initialises Python as the command does, but without a command line. The environment is already a sandbox's, not the
 * operator's. */
static int initialise(struct err *e)
{
        PyConfig config;
        PyConfig_InitPythonConfig(&config);
        config.parse_argv = 0;
        PyStatus status = PyConfig_SetString(&config, &config.program_name, PROGRAM);
        if (!PyStatus_Exception(status))
                status = Py_InitializeFromConfig(&config);
        PyConfig_Clear(&config);
        return PyStatus_Exception(status) ? fail_from_status(status, e) : 0;
}

/* Freezes all existing objects, so that the garbage collector ignores them. Otherwise a collection in a child would
 * write to every page of these objects, and so copy the page. */
static int freeze(struct err *e)
{
        PyObject *gc = PyImport_ImportModule("gc");
        PyObject *collected = gc ? PyObject_CallMethod(gc, "collect", NULL) : NULL;
        PyObject *frozen = collected ? PyObject_CallMethod(gc, "freeze", NULL) : NULL;
        int r = frozen ? 0 : err_say(e, EIO, "Python's garbage collector can't be frozen");
        Py_XDECREF(frozen);
        Py_XDECREF(collected);
        Py_XDECREF(gc);
        PyErr_Clear();
        return r;
}

/* Makes a new __main__ after the freeze, with the names that python3 puts there. The dictionary of the first __main__
 * is frozen. With it, the collector would ignore every cycle through a program's global names, and the finalizers in
 * such a cycle would never run. */
static int renew_main(struct err *e)
{
        PyObject *modules = PyImport_GetModuleDict(); /* borrowed */
        if (PyDict_DelItemString(modules, "__main__") < 0)
                PyErr_Clear();
        PyObject *module = PyImport_AddModule("__main__"); /* borrowed */
        PyObject *globals = module ? PyModule_GetDict(module) : NULL;
        PyObject *annotations = PyDict_New();
        PyObject *builtins = PyImport_ImportModule("builtins");
        int r = globals && annotations && builtins &&
                                PyDict_SetItemString(globals, "__annotations__", annotations) == 0 &&
                                PyDict_SetItemString(globals, "__builtins__", builtins) == 0
                        ? 0
                        : err_say(e, ENOMEM, "Python's __main__ can't be made");
        Py_XDECREF(annotations);
        Py_XDECREF(builtins);
        return r;
}

/* Puts the directory in the place of site-packages: behind the standard library, so that the directory hides no
 * standard module, and before the host's own copies of the same packages. */
static int add_packages(const char *directory)
{
        static const char host[] = "/dist-packages";
        PyObject *path = PySys_GetObject("path"); /* borrowed */
        PyObject *item = PyUnicode_DecodeFSDefault(directory);
        Py_ssize_t at = 0, n = path ? PyList_Size(path) : 0;
        for (; at < n; at++) {
                const char *text = PyUnicode_AsUTF8(PyList_GetItem(path, at));
                size_t len = text ? strlen(text) : 0;
                if (len >= sizeof host - 1 && strcmp(text + len - (sizeof host - 1), host) == 0)
                        break;
        }
        PyErr_Clear(); /* an entry that is not UTF-8 is not the host's directory */
        int r = path && item ? PyList_Insert(path, at, item) : -1;
        Py_XDECREF(item);
        return r;
}

static int python_warm(const struct lang_setup *setup, struct lang_warmed *out, struct err *e)
{
        struct python_arenas *arenas = python_arena_install();
        int r = initialise(e);
        if (r < 0)
                return r;
        if (python_modules_note_startup() < 0)
                return err_say(e, ENOMEM, "Python's modules can't be listed");
        if (python_end_prepare() < 0)
                return err_say(e, EIO, "Python has no exit functions");
        if (setup->packages && add_packages(setup->packages) < 0)
                return err_say(e, EIO, "Python does not accept the directory of packages");
        r = python_preload(setup, out, e);
        if (r < 0)
                return r;
        out->state = python_preload_find_reseed();
        if (python_streams_prepare() < 0)
                return err_say(e, EIO, "Python's standard streams can't be prepared");
        /* The import system keeps a directory listing for each entry of sys.path. Freezing the listings is safe,
         * because these directories don't change in a sandbox. */
        r = freeze(e);
        if (r == 0)
                r = renew_main(e);
        if (r == 0 && python_modules_note_preloaded() < 0)
                r = err_say(e, ENOMEM, "Python's modules can't be listed");
        python_arena_close(arenas);
        snprintf(out->version, sizeof out->version, "%.*s", (int)strcspn(Py_GetVersion(), " "), Py_GetVersion());
        return r;
}

static int python_after_fork(void *state)
{
        PyObject *reseed = state;
        PyOS_AfterFork_Child(); /* renews locks and thread state; hooks of random and others run, too */
        PyObject *done = reseed ? PyObject_CallNoArgs(reseed) : NULL;
        bool failed = reseed && !done;
        Py_XDECREF(done);
        PyErr_Clear();
        return failed ? -EIO : 0;
}

/* Compiles and runs a small program that prints, as every program does. The program's output and its dictionary of
 * names are discarded. */
static void python_rehearse(void *state)
{
        (void)state;
        static const char program[] = "def f(n):\n"
                                      "    return [str(i) for i in range(n)]\n"
                                      "print(' '.join(f(3)), flush=True)\n";
        int real = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (real < 0 || null < 0 || dup2(null, STDOUT_FILENO) < 0)
                _exit(126);

        PyObject *globals = PyDict_New();
        PyObject *builtins = PyEval_GetBuiltins(); /* borrowed */
        if (globals && PyDict_SetItemString(globals, "__builtins__", builtins) == 0)
                Py_XDECREF(PyRun_String(program, Py_file_input, globals, globals));
        Py_XDECREF(globals);
        PyErr_Clear();

        if (dup2(real, STDOUT_FILENO) < 0)
                _exit(126);
        close(real);
        close(null);
}

/* ---------------------------------------------------------------- one program */

/* Sets a list in sys: the words of first, then the words of rest. Both end with NULL. */
static int set_list(const char *name, const char *const *first, char *const *rest)
{
        PyObject *list = PyList_New(0);
        while (list && (*first || *rest)) {
                PyObject *item = PyUnicode_DecodeFSDefault(*first ? *first++ : *rest++);
                if (!item || PyList_Append(list, item) < 0)
                        Py_CLEAR(list);
                Py_XDECREF(item);
        }
        int r = list ? PySys_SetObject(name, list) : -1;
        Py_XDECREF(list);
        return r;
}

/* Renews the zone's names and offsets, which the module time read when it was loaded. */
static int renew_time_zone(char *const *env)
{
        while (*env && strncmp(*env, "TZ=", 3) != 0)
                env++;
        PyObject *module = *env ? python_modules_loaded("time") : NULL;
        PyObject *done = module ? PyObject_CallMethod(module, "tzset", NULL) : NULL;
        int r = module && !done ? -1 : 0;
        Py_XDECREF(done);
        Py_XDECREF(module);
        return r;
}

/* os.environ was filled when os was imported, so a variable must be set there, too. The method of os.environ would run
 * code of the module os, which costs a dozen page faults in a fresh fork. So this fills the dictionary of bytes under
 * os.environ. */
static int set_environment(char *const *env)
{
        if (!*env)
                return 0;
        PyObject *os = python_modules_loaded("os");
        PyObject *variables = os ? PyObject_GetAttrString(os, "environ") : NULL;
        PyObject *bytes = variables ? PyObject_GetAttrString(variables, "_data") : NULL;
        int r = bytes && PyDict_CheckExact(bytes) ? 0 : -1;
        for (; r == 0 && *env; env++) {
                const char *equals = strchr(*env, '=');
                PyObject *name = PyBytes_FromStringAndSize(*env, equals - *env);
                PyObject *value = PyBytes_FromString(equals + 1);
                r = name && value && setenv(PyBytes_AS_STRING(name), equals + 1, 1) == 0 &&
                                    PyDict_SetItem(bytes, name, value) == 0
                            ? 0
                            : -1;
                Py_XDECREF(name);
                Py_XDECREF(value);
        }
        Py_XDECREF(bytes);
        Py_XDECREF(variables);
        Py_XDECREF(os);
        return r;
}

/* Puts entry, the directory of the program, first in sys.path. */
static int set_path(const char *directory, const char *entry)
{
        PyObject *path = PySys_GetObject("path"); /* borrowed */
        PyObject *item = PyUnicode_DecodeFSDefault(entry);
        int r = path && item ? PyList_Insert(path, 0, item) : -1;
        Py_XDECREF(item);
        return r < 0 ? r : python_modules_unshadow(directory);
}

/* Sets up __main__ as python3 does for a program from a file. */
static int set_main(PyObject *globals, const char *filename)
{
        PyObject *external = python_modules_loaded("_frozen_importlib_external");
        PyObject *loader =
                external ? PyObject_CallMethod(external, "SourceFileLoader", "ss", "__main__", filename) : NULL;
        PyObject *name = PyUnicode_DecodeFSDefault(filename);
        int r = loader && name && PyDict_SetItemString(globals, "__file__", name) == 0 &&
                                PyDict_SetItemString(globals, "__cached__", Py_None) == 0 &&
                                PyDict_SetItemString(globals, "__loader__", loader) == 0
                        ? 0
                        : -1;
        Py_XDECREF(name);
        Py_XDECREF(loader);
        Py_XDECREF(external);
        return r;
}

static int run_file(const struct job *job, const char *filename, int *interrupted)
{
        FILE *file = fopen(filename, "rbe");
        if (!file) {
                fprintf(stderr, "python3: can't open file '%s': [Errno %d] %s\n", job->entry, errno, strerror(errno));
                return 2;
        }
        PyObject *main_module = PyImport_AddModule("__main__"); /* borrowed */
        PyObject *globals = main_module ? PyModule_GetDict(main_module) : NULL;
        if (!globals || set_main(globals, filename) < 0) {
                fclose(file);
                return python_end_exception(interrupted);
        }

        PyCompilerFlags flags = { .cf_flags = 0, .cf_feature_version = PY_MINOR_VERSION };
        struct python_echo echo;
        PyObject *result;
        if (job->header.echo && python_echo_compile(filename, &echo)) {
                fclose(file);
                result = python_echo_run(&echo, globals);
        } else {
                result = PyRun_FileExFlags(file, filename, Py_file_input, globals, globals, 1, &flags);
        }
        int status = result ? 0 : python_end_exception(interrupted);
        Py_XDECREF(result);
        /* python3 removes these again before threads end and exit functions run. */
        if (PyDict_DelItemString(globals, "__file__") < 0)
                PyErr_Clear();
        if (PyDict_DelItemString(globals, "__cached__") < 0)
                PyErr_Clear();
        return status;
}

/* ---------------------------------------------------------------- one program on the command line */

/* Is the command line "-c CODE" and nothing else? Most short programs come in this way. */
static bool python_takes(const struct job *job)
{
        const struct job_header *h = &job->header;
        return h->n_interpreter_args == 2 && strcmp(job->interpreter_args[0], "-c") == 0 && !*job->entry &&
               !*job->interpreter && !h->terminal;
}

/* Sets up __main__ as python3 does for a program without a file. */
static int set_main_of_code(PyObject *globals)
{
        PyObject *frozen = python_modules_loaded("_frozen_importlib");
        PyObject *loader = frozen ? PyObject_GetAttrString(frozen, "BuiltinImporter") : NULL;
        int r = loader ? PyDict_SetItemString(globals, "__loader__", loader) : -1;
        Py_XDECREF(loader);
        Py_XDECREF(frozen);
        return r;
}

static int run_code(const char *code, int *interrupted)
{
        PyCompilerFlags flags = { .cf_flags = PyCF_IGNORE_COOKIE, .cf_feature_version = PY_MINOR_VERSION };
        PyObject *main_module = PyImport_AddModule("__main__"); /* borrowed */
        PyObject *globals = main_module ? PyModule_GetDict(main_module) : NULL;
        if (!globals || set_main_of_code(globals) < 0)
                return python_end_exception(interrupted);
        PyObject *result = PyRun_StringFlags(code, Py_file_input, globals, globals, &flags);
        int status = result ? 0 : python_end_exception(interrupted);
        Py_XDECREF(result);
        return status;
}

/* ---------------------------------------------------------------- every program */

static int run_from_file(const struct job *job, const char *directory, int *interrupted)
{
        char filename[PATH_SIZE], above[PATH_SIZE];
        const char *const argv[] = { job->entry, NULL }, *const orig_argv[] = { "python3", job->entry, NULL };

        snprintf(filename, sizeof filename, "%s/%s", directory, job->entry);
        snprintf(above, sizeof above, "%.*s", (int)(strrchr(filename, '/') - filename), filename);
        if (set_list("argv", argv, job->args) < 0 || set_list("orig_argv", orig_argv, job->args) < 0 ||
            set_path(above, above) < 0)
                return python_end_exception(interrupted);
        return run_file(job, filename, interrupted);
}

static int run_from_command_line(const struct job *job, const char *directory, int *interrupted)
{
        const char *code = job->interpreter_args[1];
        const char *const argv[] = { "-c", NULL }, *const orig_argv[] = { "python3", "-c", code, NULL };

        if (set_list("argv", argv, job->args) < 0 || set_list("orig_argv", orig_argv, job->args) < 0 ||
            set_path(directory, "") < 0)
                return python_end_exception(interrupted);
        return run_code(code, interrupted);
}

static int python_run(void *state, const struct job *job)
{
        (void)state;
        int interrupted = 0, status;
        char directory[PATH_SIZE - JOB_PATH_MAX];

        if (!getcwd(directory, sizeof directory))
                return 2;
        if (set_environment(job->env) < 0 || renew_time_zone(job->env) < 0 ||
            python_settings_apply(job->env, job->header.unbuffered) < 0)
                status = python_end_exception(&interrupted);
        else if (job->header.n_interpreter_args > 0)
                status = run_from_command_line(job, directory, &interrupted);
        else
                status = run_from_file(job, directory, &interrupted);

        status = python_end(status);
        if (interrupted) {
                signal(SIGINT, SIG_DFL);
                kill(getpid(), SIGINT);
        }
        return status;
}

/* Variables that Python reads only at its start, or that libraries of preloaded modules read. */
static const char *const at_start[] = { "LANG", "LC_*", "MKL_*", "OMP_*", "OPENBLAS_*", "OPENSSL_*", "PYTHON*", NULL };
static const char *const fresh[] = { "/usr/bin/python3",   "python3", "{unbuffered}-u",
                                     "{interpreter_args}", "{entry}", NULL };
static const char *const prompt[] = { "/usr/bin/python3", "python3", NULL };
static const struct lang_package_variable package_variables[] = { { "PYTHONPATH", ":", LANG_PACKAGES }, { 0 } };

const struct lang hatchery_language = {
        .abi = LANG_ABI,
        .name = "python",
        .aliases = "python3 py",
        .main_file = "main.py",
        .extensions = "py pyw",
        .kind = KIND_FORKED,
        .echoes = true,
        .at_start = at_start,
        .obeys = python_settings_obey,
        .takes = python_takes,
        .fresh = fresh,
        .prompt = prompt,
        .package_variables = package_variables,
        .warm = python_warm,
        .after_fork = python_after_fork,
        .rehearse = python_rehearse,
        .run = python_run,
};
