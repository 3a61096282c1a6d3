/* Starts a process for one job, by the language's own command, in place of the warm interpreter.
 *
 * Some variables are read when a process starts. If a job sets such a variable, it comes too late for an interpreter
 * that has started already. So the job gets a fresh process that starts with the variable. A job also gets a fresh
 * process if it has words for its interpreter, names another interpreter, or runs on a terminal. Every other job runs
 * in the warm interpreter. A language may do some of these jobs in the warm interpreter, too, where no program can see
 * the difference (obeys and takes in lang.h).
 *
 * A language names its variables (at_start in lang.h). The variables of libc and the dynamic linker concern every
 * process, and are listed here. */
#pragma once

#include "lang/lang.h"

#include <stdbool.h>

/* Finds the job's first variable that is read at a start; NULL: there is none. A variable does not count if it has the
 * job's value already, or if the language obeys it. */
const char *startup_variable(const struct lang *lang, const struct job *job);

/* Call it before the program. -1: the job runs here. Otherwise the exit status, because a fresh process could not be
 * started. If the job runs here, this also sets libc's time zone for the job. */
int startup_begin(const struct lang *lang, const struct job *job);

/* Becomes lang->fresh, or lang->prompt for a job that wants it; returns the exit status of a process that could not be
 * started. Only for forked languages. */
int startup_fresh(const struct lang *lang, const struct job *job);

/* The environment of a program that is started for the job: base, and the job's variables. If the job wants no buffers,
 * a library of coreutils keeps C's standard output unbuffered. With a terminal, TERM is set. The list is fresh memory;
 * NULL without memory. */
char **startup_environment(char *const *base, const struct job *job);

/* Becomes the program that argv begins with, or the job's own interpreter in its place. path: the program's path; NULL:
 * it is looked up in PATH. An interpreter that the job names is always looked up in PATH. argv is an expanded line;
 * argv or env may be NULL for lack of memory. On failure, prints the reason to standard error, and returns the exit
 * status of a shell for a program that it can't start. */
int startup_become(const char *language, const struct job *job, const char *path, char **argv, char *const *env);

/* True if the language has a prompt of its own, and the prompt's program is installed. */
bool startup_prompts(const struct lang *lang);
