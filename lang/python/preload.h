/* Modules that the zygote imports, so that no sandbox has to. */
#pragma once

#include "lang/lang.h"

#include <Python.h>

/* Imports the setup's modules and fills out->preloads. Returns 0, or a negative errno with a sentence. A module that
 * can't be imported is marked as missing, and is no error. */
int python_preload(const struct lang_setup *setup, struct lang_warmed *out, struct err *e);

/* A new reference to a function to call in each child, because a preloaded module has drawn a seed that all children
 * would share; NULL if there is none. */
PyObject *python_preload_find_reseed(void);
