/* Where the files lie that belong to this program: beside it in a build tree, and in an installed one where
 * `cmake --install` has put them. They are looked for from the program itself, so an installed tree may be moved as a
 * whole. All paths are absolute and without "..", since sandboxes are shown some of them. */
#pragma once

#include "proto/base/err.h"

#include <stddef.h>

enum { HOME_PATH_SIZE = 512 };

/* The directory that this program lies in. */
int home_directory(char *path, size_t size, struct err *e);

/* A program or a plug-in of this build: in the directory of hatcheryd, or where an installed one has its own. */
int home_find(const char *program_directory, const char *name, char *path, size_t size, struct err *e);

/* The n-th directory that home_find looks in; NULL after the last. */
const char *home_place(size_t n);

/* The directory of Hatchery's own language files; -ENOENT where there is none. */
int home_languages(const char *program_directory, char path[HOME_PATH_SIZE], struct err *e);
