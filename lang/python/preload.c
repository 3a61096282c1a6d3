/* Preloaded modules: see preload.h. */
#include "lang/python/preload.h"
#include "lang/preload.h"

#include "lang/python/modules.h"

#include <errno.h>
#include <stdlib.h>

/* Numeric libraries start threads when they are loaded, as many as there are processors. A fork has none of these
 * threads, so work for them would never be done. The libraries read the wanted number from these variables. No program
 * sees the variables: os.environ was made before. */
static const char *const thread_variables[] = { "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS" };

enum { N_THREAD_VARIABLES = sizeof thread_variables / sizeof thread_variables[0] };

static bool import(void *context, const char *name)
{
        (void)context;
        PyObject *module = PyImport_ImportModule(name);
        PyErr_Clear();
        Py_XDECREF(module);
        return module != NULL;
}

int python_preload(const struct lang_setup *setup, struct lang_warmed *out, struct err *e)
{
        size_t n = setup->n_preload;
        out->preloads = calloc(n ? n : 1, sizeof *out->preloads);
        if (!out->preloads)
                return err_set(e, ENOMEM, "the preloaded modules");
        for (size_t i = 0; i < N_THREAD_VARIABLES; i++)
                if (setenv(thread_variables[i], "1", 1) < 0)
                        return err_set(e, errno, "the environment");
        PyObject *original = python_modules_watch_imports();
        if (!original)
                return err_say(e, ENOMEM, "Python's imports can't be watched");
        for (size_t i = 0; i < n; i++)
                out->preloads[i] = preload_timed(import, NULL, setup->preload[i]);
        if (python_modules_unwatch_imports(original) < 0)
                return err_say(e, ENOMEM, "Python's imports can't be left alone");
        for (size_t i = 0; i < N_THREAD_VARIABLES; i++)
                unsetenv(thread_variables[i]);
        return 0;
}

/* numpy.random.rand and the like draw from one generator, which is seeded when numpy is imported. (Python's module
 * random renews its generator in every fork. numpy does not, and a program that forks may rely on that. So only the
 * sandbox's start calls this; it is not registered as a fork hook.) */
PyObject *python_preload_find_reseed(void)
{
        PyObject *random = PyDict_GetItemString(PyImport_GetModuleDict(), "numpy.random"); /* borrowed */
        PyObject *seed = random ? PyObject_GetAttrString(random, "seed") : NULL;
        PyErr_Clear();
        return seed;
}
