/* Whose a loaded module is: the interpreter's own, the zygote's (preloaded), or the program's. Kept in the
 * interpreter's dictionary. Functions return 0, or -1 with a Python exception set. */
#pragma once

#include <Python.h>

/* Call when the interpreter has been initialised and nothing else was imported: modules that are loaded now are loaded
 * in every Python, and no program can put its own in their place. */
int python_modules_note_startup(void);

/* From here on is noted which module imports which. Returns what is to be put back, or NULL. */
PyObject *python_modules_watch_imports(void);
int python_modules_unwatch_imports(PyObject *original); /* takes the reference */

/* Call when everything is preloaded. */
int python_modules_note_preloaded(void);

/* The set of names of modules that were loaded before the program; borrowed. */
PyObject *python_modules_ours(void);

/* As PyImport_ImportModule, without the ways of the import system for what is there: in a fresh fork these cost some
 * twenty page faults. */
PyObject *python_modules_loaded(const char *name);

/* A program may bring a json.py of its own, and python3 would import that. If anything in its directory has the name of
 * a preloaded module, that module is forgotten, and so is what imports it: they are found again as in a fresh python3.
 * All else stays, since there are modules that can't be loaded twice (numpy's). */
int python_modules_unshadow(const char *directory);
