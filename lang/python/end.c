/* The end of a Python program: see end.h.
 *
 * Py_FinalizeEx takes down the whole interpreter, and so writes to nearly every page of it. In a fork, each such page
 * is copied. That takes several milliseconds in all, for a process that is about to vanish. A program can see only a
 * part of this work: its threads are awaited, atexit runs, the standard streams are flushed, and the objects of its own
 * modules are destroyed (finalizers, buffered files). This file does that part, in python3's order, for __main__ and
 * all modules that the program imported. A program with threads still alive at that point (daemon threads) ends by
 * Py_FinalizeEx, since it can see the order in which the interpreter stops its threads. */
#include "lang/python/end.h"

#include "lang/python/modules.h"

#include <stdio.h>

#define EXIT_FUNCTIONS "hatchery.exit_functions"

int python_end_prepare(void)
{
        PyObject *atexit = PyImport_ImportModule("atexit");
        PyObject *function = atexit ? PyObject_GetAttrString(atexit, "_run_exitfuncs") : NULL;
        PyObject *dict = PyInterpreterState_GetDict(PyInterpreterState_Get()); /* borrowed */
        int r = function && dict ? PyDict_SetItemString(dict, EXIT_FUNCTIONS, function) : -1;
        Py_XDECREF(function);
        Py_XDECREF(atexit);
        return r;
}

/* ---------------------------------------------------------------- exceptions */

static void print_exit_message(PyObject *value)
{
        PyObject *err = PySys_GetObject("stderr"); /* borrowed */
        if (err && err != Py_None) {
                Py_INCREF(err);
                if (PyFile_WriteObject(value, err, Py_PRINT_RAW) < 0)
                        PyErr_Clear();
                Py_DECREF(err);
        } else {
                PyObject_Print(value, stderr, Py_PRINT_RAW);
                fflush(stderr);
        }
        PySys_WriteStderr("\n");
}

static int system_exit_status(void)
{
        PyObject *type, *value, *traceback;
        int status = 0;

        PyErr_Fetch(&type, &value, &traceback);
        PyErr_NormalizeException(&type, &value, &traceback);
        PyObject *code = value ? PyObject_GetAttrString(value, "code") : NULL;
        if (!code)
                PyErr_Clear();
        PyObject *said = code ? code : value;
        if (!said || said == Py_None) {
                status = 0;
        } else if (PyLong_Check(said)) {
                status = (int)PyLong_AsLong(said);
                PyErr_Clear();
        } else {
                print_exit_message(said);
                status = 1;
        }
        Py_XDECREF(code);
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
        return status;
}

int python_end_exception(int *interrupted)
{
        if (PyErr_ExceptionMatches(PyExc_SystemExit))
                return system_exit_status();
        if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt))
                *interrupted = 1;
        PyErr_Print();
        return 1;
}

/* ---------------------------------------------------------------- clean-up */

/* Calls a function of a module, if the module is loaded; an exception is printed as python3 prints it there.
 */
static void call_if_loaded(const char *module_name, const char *function)
{
        PyObject *module = PyDict_GetItemString(PyImport_GetModuleDict(), module_name); /* borrowed */
        if (!module)
                return;
        Py_INCREF(module);
        PyObject *result = PyObject_CallMethod(module, function, NULL);
        if (!result)
                PyErr_WriteUnraisable(module);
        Py_XDECREF(result);
        Py_DECREF(module);
}

/* Calls atexit's functions as python3 does: without the module atexit, which a program may have removed or replaced. */
static void call_exit_functions(void)
{
        PyObject *dict = PyInterpreterState_GetDict(PyInterpreterState_Get());         /* borrowed */
        PyObject *function = dict ? PyDict_GetItemString(dict, EXIT_FUNCTIONS) : NULL; /* borrowed */
        PyObject *result = function ? PyObject_CallNoArgs(function) : NULL;
        if (!result)
                PyErr_WriteUnraisable(function);
        Py_XDECREF(result);
}

static int is_closed(PyObject *file)
{
        PyObject *closed = PyObject_GetAttrString(file, "closed");
        if (!closed) {
                PyErr_Clear();
                return 0;
        }
        int r = PyObject_IsTrue(closed);
        Py_DECREF(closed);
        if (r < 0)
                PyErr_Clear();
        return r > 0;
}

/* -1 if output of the program is lost. */
static int flush_stream(const char *name, int complain)
{
        PyObject *file = PySys_GetObject(name); /* borrowed */
        if (!file || file == Py_None || is_closed(file))
                return 0;
        Py_INCREF(file);
        PyObject *result = PyObject_CallMethod(file, "flush", NULL);
        int r = result ? 0 : -1;
        if (!result && complain)
                PyErr_WriteUnraisable(file);
        else if (!result)
                PyErr_Clear();
        Py_XDECREF(result);
        Py_DECREF(file);
        return r;
}

static int flush_streams(void)
{
        int out = flush_stream("stdout", 1);
        int err = flush_stream("stderr", 0);
        return out < 0 || err < 0 ? -1 : 0;
}

static int has_other_threads(void)
{
        PyThreadState *first = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
        return first && PyThreadState_Next(first) != NULL;
}

/* The names of modules that the program imported, __main__ among them. Only borrows the other names: taking a reference
 * to each would write to some fifty pages, and so copy them. */
static PyObject *names_of_program(PyObject *modules)
{
        PyObject *names = PyList_New(0), *ours = python_modules_ours();
        PyObject *name, *module;
        Py_ssize_t at = 0;

        while (names && ours && PyDict_Next(modules, &at, &name, &module)) {
                /* A name that is no plain string may have a hash function of its own, which could change the
                 * dictionary. */
                int is_ours = PyUnicode_CheckExact(name) && PySet_Contains(ours, name) == 1 &&
                              PyUnicode_CompareWithASCIIString(name, "__main__") != 0;
                if (!is_ours && PyList_Append(names, name) < 0)
                        Py_CLEAR(names);
        }
        return names;
}

/* Takes the program's modules out of sys.modules; returns weak references to them, oldest first. A module without other
 * references dies here, and with it all objects that only it held. */
static PyObject *unlist_modules(void)
{
        PyObject *modules = PyImport_GetModuleDict(); /* borrowed */
        PyObject *names = names_of_program(modules);
        PyObject *references = PyList_New(0);

        for (Py_ssize_t i = 0; names && references && i < PyList_GET_SIZE(names); i++) {
                PyObject *name = PyList_GET_ITEM(names, i);
                PyObject *module = PyDict_GetItem(modules, name); /* borrowed */
                PyObject *reference = module && PyModule_Check(module) ? PyWeakref_NewRef(module, NULL) : NULL;
                if (reference)
                        PyList_Append(references, reference);
                Py_XDECREF(reference);
                PyDict_SetItem(modules, name, Py_None);
                PyErr_Clear();
        }
        Py_XDECREF(names);
        PyErr_Clear();
        return references;
}

/* Sets the names of one kind in a module to None: python3 clears names with one leading underscore first, and keeps
 * __builtins__ to the end, so that finalizers find what they need as long as possible. */
static void clear_names(PyObject *dict, int underscored)
{
        PyObject *names = PyDict_Keys(dict);
        for (Py_ssize_t i = 0; names && i < PyList_GET_SIZE(names); i++) {
                PyObject *name = PyList_GET_ITEM(names, i);
                if (!PyUnicode_Check(name) || PyUnicode_CompareWithASCIIString(name, "__builtins__") == 0)
                        continue;
                Py_ssize_t len = PyUnicode_GET_LENGTH(name);
                int one = len > 0 && PyUnicode_READ_CHAR(name, 0) == '_' &&
                          !(len > 1 && PyUnicode_READ_CHAR(name, 1) == '_');
                if (underscored == one && PyDict_SetItem(dict, name, Py_None) < 0)
                        PyErr_WriteUnraisable(NULL);
        }
        Py_XDECREF(names);
        PyErr_Clear();
}

static void destroy_modules(void)
{
        PyObject *references = unlist_modules();
        PyGC_Collect();
        for (Py_ssize_t i = references ? PyList_GET_SIZE(references) : 0; i > 0; i--) {
                PyObject *module = PyWeakref_GetObject(PyList_GET_ITEM(references, i - 1)); /* borrowed */
                if (module == Py_None)
                        continue;
                Py_INCREF(module);
                clear_names(PyModule_GetDict(module), 1);
                clear_names(PyModule_GetDict(module), 0);
                Py_DECREF(module);
        }
        Py_XDECREF(references);
        PyGC_Collect();
}

int python_end(int status)
{
        call_if_loaded("threading", "_shutdown");
        call_exit_functions();
        int lost = flush_streams();
        if (has_other_threads()) {
                lost = Py_FinalizeEx() < 0 ? -1 : lost;
        } else {
                destroy_modules();
                flush_stream("stdout", 0); /* output of finalizers; like python3, reports no error here */
                flush_stream("stderr", 0);
        }
        fflush(NULL); /* C's own streams: an extension may have printed to them */
        return lost < 0 ? 120 : status;
}
