/* The main program of a Ruby process: read, compiled and run as `ruby FILE` does, in an interpreter that was
 * initialised for another one. Ruby's own functions for that need a fresh interpreter. So the functions below them are
 * called, which libruby exports without a header; see main.c. */
#pragma once

#include <stdbool.h>

/* In the zygote, when the interpreter is initialised: checks the structures that ruby_main_run relies on. False: this
 * libruby is not laid out as expected. */
bool ruby_main_check(void);

/* Runs the file with this name and ends the interpreter; returns the exit status, or dies of the program's signal.
 * echo: prints the value of the last expression as irb does. */
int ruby_main_run(const char *entry, bool echo);
