/* The owner of a loaded module: the interpreter, the zygote (preloaded), or the program. Kept in the interpreter's
 * dictionary. Functions return 0, or -1 with a Python exception set. */
#pragma once

#include <Python.h>

/* Call when the interpreter has been initialised and nothing else was imported: modules that are loaded now are loaded
 * in every Python, and no program can put its own in their place. */
int python_modules_note_startup(void);

/* From here on it records which module imports which. Returns the original function, to be put back, or NULL. */
PyObject *python_modules_watch_imports(void);
int python_modules_unwatch_imports(PyObject *original); /* takes the reference */

/* Call when everything is preloaded. */
int python_modules_note_preloaded(void);

/* The set of names of modules that were loaded before the program; borrowed. */
PyObject *python_modules_ours(void);

/* Like PyImport_ImportModule for a loaded module, without the import system: in a fresh fork that costs some twenty
 * page faults. */
PyObject *python_modules_loaded(const char *name);

/* A program may bring a json.py of its own, and python3 would import that. If a file in its directory has the name of a
 * preloaded module, that module and all modules that import it are forgotten: they are found again as in a fresh
 * python3. All others stay, since some modules can't be loaded twice (numpy's). */
int python_modules_unshadow(const char *directory);
