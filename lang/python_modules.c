/* Whose a module is: see python_modules.h. */
#include "lang/python_modules.h"

#include <dirent.h>
#include <string.h>

#define STARTUP "hatchery.startup"
#define OURS    "hatchery.ours"

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

/* True if a directory entry, a package or a file with any suffix, has the name of a preloaded module. */
static int shadows(const char *entry)
{
        PyObject *name = PyUnicode_DecodeFSDefaultAndSize(entry, (Py_ssize_t)strcspn(entry, "."));
        PyObject *startup = names_of(STARTUP), *ours = names_of(OURS);
        int r = name && startup && ours && PySet_Contains(ours, name) == 1 && PySet_Contains(startup, name) == 0;
        Py_XDECREF(name);
        PyErr_Clear();
        return r;
}

static int forget_preloaded(void)
{
        PyObject *modules = PyImport_GetModuleDict(); /* borrowed */
        PyObject *startup = names_of(STARTUP), *ours = names_of(OURS);
        PyObject *preloaded = PyNumber_Subtract(ours, startup);
        PyObject *iterator = preloaded ? PyObject_GetIter(preloaded) : NULL;
        PyObject *name;
        while (iterator && (name = PyIter_Next(iterator))) {
                if (PyDict_Contains(modules, name) == 1)
                        PyDict_DelItem(modules, name);
                Py_DECREF(name);
        }
        int r = iterator && !PyErr_Occurred() ? PyDict_SetItemString(interpreter_dict(), OURS, startup) : -1;
        Py_XDECREF(iterator);
        Py_XDECREF(preloaded);
        return r;
}

int python_modules_unshadow(const char *directory)
{
        DIR *dir = opendir(directory);
        int found = 0;
        for (struct dirent *d; dir && !found && (d = readdir(dir));)
                found = d->d_name[0] != '.' && shadows(d->d_name);
        if (dir)
                closedir(dir);
        return found ? forget_preloaded() : 0;
}
