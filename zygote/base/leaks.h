/* What a zygote owes to the sanitizers of a development build, whose leak check runs when it ends: a place for reports,
 * because the zygote's standard error is a pipe that nobody reads, and a pid namespace in which a process can be
 * started. Nothing of it is done in other builds. */
#pragma once

#include <stdbool.h>

/* Reports go to this descriptor from now on. */
void leaks_report_to(int fd);

/* This process is a sandbox's: its end is a program's, which is not to be traced. */
void leaks_off(void);

/* At the end of the process, by another process that traces it. */
bool leaks_are_looked_for(void);

/* What a language keeps as long as the process lives is no leak. */
void leaks_keep(const void *state);
