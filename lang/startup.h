/* Variables that are read when a process starts. Those of a job come too late for an interpreter that has started
 * already: such a job is run by the language's own command, as a process that begins with them, and any other job where
 * it is.
 *
 * Which these are, a language says (at_start in lang.h). What libc and the dynamic linker read is true of every
 * process, and listed here. */
#pragma once

#include "lang/lang.h"

/* The name of the first variable of the job that is read at a start, with what follows it; NULL for none. One that has
 * the value already is none. */
const char *startup_variable(const struct lang *lang, const struct job *job);

/* Before the program: -1 where the job is to be run here, or the exit status of a fresh process that could not be
 * started. Time zones are libc's own, and are set for the job in any case. */
int startup_begin(const struct lang *lang, const struct job *job);

/* Becomes lang->fresh; returns the exit status of a process that could not be started. */
int startup_fresh(const struct lang *lang, const struct job *job);

/* The environment of a program that is started for the job: base, and what the job sets. Where the job wants no
 * buffers, C's standard output is kept from having one by a library of coreutils. The list is fresh memory; NULL
 * without memory. */
char **startup_environment(char *const *base, const struct job *job);
