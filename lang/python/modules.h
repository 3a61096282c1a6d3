/* Records who loaded each module: the interpreter, the zygote (preloaded), or the program. The record is kept in the
 * interpreter's dictionary. Functions return 0, or -1 with a Python exception set. */
#pragma once

#include <Python.h>

/* Call when the interpreter has been initialised and nothing else was imported. The modules that are loaded now are
 * loaded in every Python, and no program can replace them by its own. */
int python_modules_note_startup(void);

/* From this call on, it is recorded which module imports which. Returns the original import function, which
 * python_modules_unwatch_imports puts back, or NULL. */
PyObject *python_modules_watch_imports(void);
int python_modules_unwatch_imports(PyObject *original); /* takes over the reference */

/* Call when everything is preloaded. */
int python_modules_note_preloaded(void);

/* The set of names of modules that were loaded before the program; borrowed. */
PyObject *python_modules_ours(void);

/* Like PyImport_ImportModule for a loaded module, but without the import system, which costs about twenty page faults
 * in a fresh fork. */
PyObject *python_modules_loaded(const char *name);

/* A program may bring a json.py of its own, and python3 would import that. If a file in its directory has the name of a
 * preloaded module, that module and all modules that import it are forgotten: they are found again as in a fresh
 * python3. All other modules stay, since some modules (those of numpy) can't be loaded twice. */
int python_modules_unshadow(const char *directory);
