/* Settings of a started Python: see settings.h. */
#include "lang/python/settings.h"
#include "lang/python/modules.h"
#include "lang/python/streams.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <structmember.h>
#include <sys/stat.h>

/* The value of a variable. NULL if the variable is not set or is empty: Python treats both alike. */
static const char *value_of(const char *name, char *const *env)
{
        size_t len = strlen(name);
        const char *value = NULL;
        for (; *env; env++)
                if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
                        value = *env + len + 1;
        return value && *value ? value : NULL;
}

/* A switch is on with any value but zero. */
static bool is_on(const char *name, char *const *env)
{
        const char *value = value_of(name, env);
        char *end = NULL;
        long number = value ? strtol(value, &end, 10) : 0;
        return value && (*end || number != 0);
}

/* Does the variable set the number of threads to one? Libraries of preloaded modules were loaded with this number.
 * Libraries that the program loads read the variable themselves. */
static bool is_one_thread(const char *variable)
{
        static const char *const names[] = { "MKL_NUM_THREADS=1", "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1" };
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
                if (strcmp(variable, names[i]) == 0)
                        return true;
        return false;
}

bool python_settings_obey(const char *variable)
{
        static const char *const names[] = { "PYTHONDONTWRITEBYTECODE=", "PYTHONUNBUFFERED=", "PYTHONUSERBASE=" };
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
                if (strncmp(variable, names[i], strlen(names[i])) == 0)
                        return true;
        return strcmp(variable, "PYTHONIOENCODING=utf-8:strict") == 0 || is_one_thread(variable);
}

/* ---------------------------------------------------------------- PYTHONDONTWRITEBYTECODE */

/* Sets a member of sys.flags in place: preloaded modules may hold the object. */
static void set_flag(const char *name)
{
        PyObject *flags = PySys_GetObject("flags"); /* borrowed */
        const PyMemberDef *member = flags ? Py_TYPE(flags)->tp_members : NULL;
        while (member && member->name && strcmp(member->name, name) != 0)
                member++;
        PyObject *one = member && member->name ? PyLong_FromLong(1) : NULL;
        if (!one)
                return;
        PyObject **place = (PyObject **)(void *)((char *)flags + member->offset);
        Py_SETREF(*place, one);
}

static int stop_bytecode(void)
{
        set_flag("dont_write_bytecode");
        return PySys_SetObject("dont_write_bytecode", Py_True);
}

/* ---------------------------------------------------------------- PYTHONUSERBASE */

/* Moves the entries from `from` on before the host's own packages, because directories of the user come first. */
static int move_before_host(PyObject *path, Py_ssize_t from)
{
        static const char host[] = "/dist-packages";
        Py_ssize_t to = 0;
        for (; to < from; to++) {
                PyObject *entry = PyList_GET_ITEM(path, to);
                const char *text = PyUnicode_Check(entry) ? PyUnicode_AsUTF8(entry) : NULL;
                size_t len = text ? strlen(text) : 0;
                PyErr_Clear();
                if (len >= sizeof host - 1 && strcmp(text + len - (sizeof host - 1), host) == 0)
                        break;
        }
        PyObject *added = PyList_GetSlice(path, from, PyList_GET_SIZE(path));
        int r = added && PyList_SetSlice(path, from, PyList_GET_SIZE(path), NULL) == 0 &&
                                PyList_SetSlice(path, to, to, added) == 0
                        ? 0
                        : -1;
        Py_XDECREF(added);
        return r;
}

/* Lets the module site add a directory that exists. */
static int add_directory(PyObject *site, PyObject *directory)
{
        PyObject *path = PySys_GetObject("path"); /* borrowed */
        if (!path || !PyList_Check(path))
                return 0;
        Py_ssize_t before = PyList_GET_SIZE(path);
        PyObject *known = PySet_New(NULL);
        PyObject *done = known ? PyObject_CallMethod(site, "addsitedir", "OO", directory, known) : NULL;
        int r = done ? 0 : -1;
        if (r == 0 && PyList_GET_SIZE(path) > before)
                r = move_before_host(path, before);
        Py_XDECREF(done);
        Py_XDECREF(known);
        return r;
}

/* Sets the values that the module site found out at its start. The functions of site would find them anew. But running
 * these functions costs page faults in a fresh fork, and the directory hardly ever exists. */
static int renew_user_base(const char *base)
{
        PyObject *site = python_modules_loaded("site");
        if (!site) {
                PyErr_Clear();
                return 0;
        }
        PyObject *directory = PyUnicode_DecodeFSDefault(base);
        PyObject *packages = directory ? PyUnicode_FromFormat("%U/lib/python%d.%d/site-packages", directory,
                                                              PY_MAJOR_VERSION, PY_MINOR_VERSION)
                                       : NULL;
        PyObject *path = packages ? PyUnicode_EncodeFSDefault(packages) : NULL;
        int r = path && PyObject_SetAttrString(site, "USER_BASE", directory) == 0 &&
                                PyObject_SetAttrString(site, "USER_SITE", packages) == 0
                        ? 0
                        : -1;
        struct stat st;
        if (r == 0 && stat(PyBytes_AS_STRING(path), &st) == 0 && S_ISDIR(st.st_mode))
                r = add_directory(site, packages);
        Py_XDECREF(path);
        Py_XDECREF(packages);
        Py_XDECREF(directory);
        Py_DECREF(site);
        return r;
}

/* ---------------------------------------------------------------- all of them */

int python_settings_apply(char *const *env, bool unbuffered)
{
        const char *user_base = value_of("PYTHONUSERBASE", env);
        bool is_strict = value_of("PYTHONIOENCODING", env); /* the one value that is obeyed says so */
        int r = is_on("PYTHONDONTWRITEBYTECODE", env) ? stop_bytecode() : 0;
        if (r == 0 && user_base)
                r = renew_user_base(user_base);
        python_streams_set(unbuffered || is_on("PYTHONUNBUFFERED", env), is_strict);
        return r;
}
