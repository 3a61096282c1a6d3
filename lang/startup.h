/* A process that is started for one job: by the language's own command, in place of the interpreter that waits.
 *
 * Some variables are read when a process starts. Those of a job come too late for an interpreter that has started
 * already, so such a job is given to a process that begins with them. So is a job that has words for its interpreter,
 * names another one, or runs on a terminal. Any other job is run where it is.
 *
 * A language names its variables (at_start in lang.h). Those of libc and the dynamic linker hold for every process, and
 * are listed here. */
#pragma once

#include "lang/lang.h"

#include <stdbool.h>

/* The first variable of the job that is read at a start, from its name on; NULL for none. A variable that has that
 * value already does not count. */
const char *startup_variable(const struct lang *lang, const struct job *job);

/* To be called before the program: -1 if the job is to be run here, or the exit status if a fresh process could not be
 * started. The time zone is libc's own, and is set for the job in any case. */
int startup_begin(const struct lang *lang, const struct job *job);

/* Becomes lang->fresh, or lang->prompt for a job that wants it; returns the exit status of a process that could not be
 * started. Forked languages alone. */
int startup_fresh(const struct lang *lang, const struct job *job);

/* The environment of a program that is started for the job: base, and what the job sets. Where the job wants no
 * buffers, C's standard output is kept from having one by a library of coreutils. A terminal has a name (TERM). The
 * list is fresh memory; NULL without memory. */
char **startup_environment(char *const *base, const struct job *job);

/* Becomes the program that argv begins with, or the job's own interpreter in its place. path: where that program is;
 * NULL: it is looked up in PATH, as an interpreter that the job names is. argv is an expanded line, or NULL without
 * memory, and so is env. Returns the exit status that a shell has for what it can't start, and says on standard error
 * why. */
int startup_become(const char *language, const struct job *job, const char *path, char **argv, char *const *env);

/* Whether the language has a prompt of its own, and its program is installed. */
bool startup_prompts(const struct lang *lang);
