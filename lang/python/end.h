/* The end of a Python program, without the end of the interpreter. */
#pragma once

#include <Python.h>

/* To be called before any program runs: keeps the function that calls the exit functions. 0, or -1 with a Python
 * exception set. */
int python_end_prepare(void);

/* Turns the exception that is set into an exit status, printing what python3 would print; *interrupted is set where
 * python3 would die of SIGINT after it has cleaned up. */
int python_end_exception(int *interrupted);

/* Does everything that a program can see between its last line and its exit, as python3 does: waits for threads, calls
 * atexit, flushes, destroys the program's modules so that finalizers run and files are flushed. Returns the final
 * status: the given one, or 120 if output could not be flushed. */
int python_end(int status);
