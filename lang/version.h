/* Finds the installed version of a program by asking it. */
#pragma once

#include "proto/base/err.h"

#include <stddef.h>

/* Runs the command, ends it after a while, and puts into out the part of its output that looks most like a version. 0,
 * or a negative errno with a sentence. No process is left. */
int version_ask(char *const *command, char *out, size_t size, struct err *e);

/* The first numbers with a dot between them, with attached letters ("3.11.2rc1"); without any, the first number;
 * without that, the first line. Empty for an empty text. */
void version_find(const char *text, char *out, size_t size);
