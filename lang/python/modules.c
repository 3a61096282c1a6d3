/* The owners of modules: see modules.h. */
#include "lang/python/modules.h"

#include <dirent.h>
#include <stdbool.h>
#include <string.h>

#define STARTUP "hatchery.startup"
#define OURS    "hatchery.ours"
#define IMPORTS "hatchery.imports" /* dictionary: top-level name to the set of names that it imports */
#define TRIED   "hatchery.tried"   /* set: all names that any module imports, whether they exist or not */

static PyObject *interpreter_dict(void)
{
        return PyInterpreterState_GetDict(PyInterpreterState_Get()); /* borrowed */
}

static int note(const char *key)
{
        PyObject *names = PyFrozenSet_New(PyImport_GetModuleDict());
        if (!names)
                return -1;
        int r = PyDict_SetItemString(interpreter_dict(), key, names);
        Py_DECREF(names);
        return r;
}

int python_modules_note_startup(void)
{
        return note(STARTUP);
}

int python_modules_note_preloaded(void)
{
        return note(OURS);
}

static PyObject *names_of(const char *key)
{
        return PyDict_GetItemString(interpreter_dict(), key); /* borrowed */
}

PyObject *python_modules_ours(void)
{
        return names_of(OURS);
}

PyObject *python_modules_loaded(const char *name)
{
        PyObject *module = PyDict_GetItemString(PyImport_GetModuleDict(), name); /* borrowed */
        if (!module)
                return PyImport_ImportModule(name);
        Py_INCREF(module);
        return module;
}

/* ---------------------------------------------------------------- who imports whom */

/* The top-level part of a dotted name; a new reference. */
static PyObject *top_of(PyObject *name)
{
        const char *text = PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
        return text ? PyUnicode_FromStringAndSize(text, (Py_ssize_t)strcspn(text, ".")) : NULL;
}

static void note_edge(PyObject *importer, PyObject *imported)
{
        PyObject *imports = PyDict_GetItemString(interpreter_dict(), IMPORTS); /* borrowed */
        PyObject *tried = PyDict_GetItemString(interpreter_dict(), TRIED);
        PyObject *from = top_of(importer), *to = top_of(imported), *fresh = PySet_New(NULL);
        if (imports && tried && from && to && fresh) {
                PyObject *set = PyDict_SetDefault(imports, from, fresh); /* borrowed */
                if (set && PySet_Add(set, to) == 0)
                        PySet_Add(tried, to);
        }
        Py_XDECREF(fresh);
        Py_XDECREF(to);
        Py_XDECREF(from);
        PyErr_Clear();
}

/* Replaces builtins.__import__, whose arguments are (name, globals, locals, fromlist, level). A failed import counts,
 * too: with a file of that name it would succeed. An import within a package does not matter here. */
static PyObject *import_and_note(PyObject *original, PyObject *args, PyObject *keywords)
{
        Py_ssize_t n = PyTuple_GET_SIZE(args);
        PyObject *globals = n > 1 ? PyTuple_GET_ITEM(args, 1) : NULL;
        PyObject *level = n > 4 ? PyTuple_GET_ITEM(args, 4) : NULL;
        PyObject *importer = globals && PyDict_Check(globals) ? PyDict_GetItemString(globals, "__name__") : NULL;
        if (importer && (!level || PyObject_IsTrue(level) == 0))
                note_edge(importer, PyTuple_GET_ITEM(args, 0));
        return PyObject_Call(original, args, keywords);
}

PyObject *python_modules_watch_imports(void)
{
        /* static, because the interpreter keeps a pointer to it; not const, because its type has no const */
        static PyMethodDef method = { "__import__", (PyCFunction)(void (*)(void))import_and_note,
                                      METH_VARARGS | METH_KEYWORDS, NULL };
        PyObject *builtins = PyEval_GetBuiltins(); /* borrowed */
        PyObject *original = PyDict_GetItemString(builtins, "__import__");
        PyObject *imports = PyDict_New(), *tried = PySet_New(NULL);
        PyObject *watch = original ? PyCFunction_New(&method, original) : NULL;
        bool done = imports && tried && watch && PyDict_SetItemString(interpreter_dict(), IMPORTS, imports) == 0 &&
                    PyDict_SetItemString(interpreter_dict(), TRIED, tried) == 0 &&
                    PyDict_SetItemString(builtins, "__import__", watch) == 0;
        if (done)
                Py_INCREF(original);
        Py_XDECREF(imports);
        Py_XDECREF(tried);
        Py_XDECREF(watch);
        return done ? original : NULL;
}

int python_modules_unwatch_imports(PyObject *original)
{
        int r = PyDict_SetItemString(PyEval_GetBuiltins(), "__import__", original);
        Py_DECREF(original);
        return r;
}

/* ---------------------------------------------------------------- a program with files of the same names */

/* True if a directory entry, a package or a file with any suffix, has the name of a preloaded module, or of one that a
 * preloaded module tried to import. */
static int shadows(const char *entry)
{
        PyObject *name = PyUnicode_DecodeFSDefaultAndSize(entry, (Py_ssize_t)strcspn(entry, "."));
        PyObject *startup = names_of(STARTUP), *ours = names_of(OURS), *tried = names_of(TRIED);
        int r = name && startup && ours && tried &&
                (PySet_Contains(ours, name) == 1 || PySet_Contains(tried, name) == 1) &&
                PySet_Contains(startup, name) == 0;
        Py_XDECREF(name);
        PyErr_Clear();
        return r;
}

/* Adds to the set of top-level names those modules that import one of the set. Returns whether there were any, or
 * -1. */
static int add_importers(PyObject *names)
{
        PyObject *imports = PyDict_GetItemString(interpreter_dict(), IMPORTS); /* borrowed */
        PyObject *importer, *imported;
        Py_ssize_t at = 0;
        int added = 0;
        while (imports && PyDict_Next(imports, &at, &importer, &imported)) {
                if (PySet_Contains(names, importer) == 1)
                        continue;
                PyObject *common = PyNumber_And(imported, names);
                if (!common || (PySet_GET_SIZE(common) > 0 && PySet_Add(names, importer) < 0)) {
                        Py_XDECREF(common);
                        return -1;
                }
                added |= PySet_GET_SIZE(common) > 0;
                Py_DECREF(common);
        }
        return added;
}

/* Removes all preloaded modules with one of these top-level names. */
static int forget(PyObject *names)
{
        PyObject *modules = PyImport_GetModuleDict(); /* borrowed */
        PyObject *startup = names_of(STARTUP), *ours = names_of(OURS);
        PyObject *preloaded = PyNumber_Subtract(ours, startup);
        PyObject *gone = PySet_New(NULL);
        PyObject *iterator = preloaded ? PyObject_GetIter(preloaded) : NULL;
        PyObject *name;
        while (iterator && gone && (name = PyIter_Next(iterator))) {
                PyObject *top = top_of(name);
                if (top && PySet_Contains(names, top) == 1 && PySet_Add(gone, name) == 0 &&
                    PyDict_Contains(modules, name) == 1)
                        PyDict_DelItem(modules, name);
                Py_XDECREF(top);
                Py_DECREF(name);
        }
        PyObject *left = iterator && gone && !PyErr_Occurred() ? PyNumber_Subtract(ours, gone) : NULL;
        int r = left ? PyDict_SetItemString(interpreter_dict(), OURS, left) : -1;
        Py_XDECREF(left);
        Py_XDECREF(gone);
        Py_XDECREF(iterator);
        Py_XDECREF(preloaded);
        return r;
}

static int add_entry(PyObject *names, const char *entry)
{
        PyObject *name = PyUnicode_DecodeFSDefaultAndSize(entry, (Py_ssize_t)strcspn(entry, "."));
        int r = name ? PySet_Add(names, name) : -1;
        Py_XDECREF(name);
        return r;
}

int python_modules_unshadow(const char *directory)
{
        DIR *dir = opendir(directory);
        PyObject *names = NULL;
        int r = 0;
        for (struct dirent *d; dir && r == 0 && (d = readdir(dir));) {
                if (d->d_name[0] == '.' || !shadows(d->d_name))
                        continue;
                if (!names)
                        names = PySet_New(NULL);
                r = names ? add_entry(names, d->d_name) : -1;
        }
        if (dir)
                closedir(dir);
        if (!names)
                return r;
        int more = r == 0 ? 1 : -1;
        while (more > 0)
                more = add_importers(names);
        r = more == 0 ? forget(names) : -1;
        Py_DECREF(names);
        return r;
}
