/* Whose a loaded module is: the interpreter's own, the zygote's (preloaded), or the program's. Kept in the
 * interpreter's dictionary. Functions return 0, or -1 with a Python exception set. */
#pragma once

#include <Python.h>

/* Call when the interpreter has been initialised and nothing else was imported: what is loaded now is loaded in every
 * Python, and no program can put a module of its own in its place. */
int python_modules_note_startup(void);

/* Call when everything is preloaded. */
int python_modules_note_preloaded(void);

/* True if the module was loaded before the program. */
int python_modules_is_ours(PyObject *name);

/* A program may bring a json.py of its own, and python3 would import that. If anything in its directory has the name of
 * a preloaded module, all preloaded modules are forgotten, and imports find what they would find in a fresh python3. */
int python_modules_unshadow(const char *directory);
