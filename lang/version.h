/* Finds the installed version of a program by asking it. */
#pragma once

#include "proto/base/err.h"

#include <stddef.h>

/* Runs the command, ends it after a time limit, and puts into out the part of its output that looks most like a
 * version. Returns 0, or a negative errno with a sentence. No process is left behind. */
int version_ask(char *const *command, char *out, size_t size, struct err *e);

/* Finds the first numbers with dots between them, with attached letters ("3.11.2rc1"). If there are none, the result is
 * the first number; without a number, it is the first line. The result is empty for an empty text. */
void version_find(const char *text, char *out, size_t size);
