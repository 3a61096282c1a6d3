/* Where this program's own files lie: beside it in a build tree; in an installed tree, where `cmake --install` has put
 * them. The search starts from the program itself, so an installed tree may be moved as a whole. All paths are absolute
 * and without "..", since sandboxes see some of them. */
#pragma once

#include "proto/base/err.h"

#include <stddef.h>

enum { HOME_PATH_SIZE = 512 };

/* The directory that this program lies in. */
int home_directory(char *path, size_t size, struct err *e);

/* Finds a program or a plug-in of this build, in the directory of hatcheryd or in the directories of an installed
 * tree. */
int home_find(const char *program_directory, const char *name, char *path, size_t size, struct err *e);

/* The n-th directory that home_find looks in; NULL after the last. */
const char *home_place(size_t n);

/* The directory of Hatchery's own language files; -ENOENT where there is none. */
int home_languages(const char *program_directory, char path[HOME_PATH_SIZE], struct err *e);
