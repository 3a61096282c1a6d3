/* Helps the leak check of a development build, which runs when a zygote ends. The check needs a place for reports,
 * because no process reads the zygote's standard error. It also needs a pid namespace in which it can start a process.
 * In other builds these functions do nothing. */
#pragma once

#include <stdbool.h>

/* Reports go to this descriptor from now on. */
void leaks_report_to(int fd);

/* Turns the check off. This process becomes a sandbox's, and will end as a program, whose end must not be traced. */
void leaks_off(void);

/* True if another process looks for leaks at the end of this one, by tracing it. */
bool leaks_are_looked_for(void);

/* Memory that a language keeps as long as the process lives is no leak. */
void leaks_keep(const void *state);
