/* Reads, compiles and runs the main program of a Ruby process as `ruby FILE` does. The interpreter was initialised for
 * another (empty) program. Ruby's own functions for this need a fresh interpreter. So main.c calls lower functions,
 * which libruby exports without a header. */
#pragma once

#include <stdbool.h>

/* In the zygote, when the interpreter is initialised: checks the structures that ruby_main_run relies on. False: the
 * structures of this libruby have another layout. */
bool ruby_main_check(void);

/* Runs the file with this name and ends the interpreter; returns the exit status, or ends the process by the signal
 * that the program raised. echo: prints the value of the last expression as irb does. */
int ruby_main_run(const char *entry, bool echo);
