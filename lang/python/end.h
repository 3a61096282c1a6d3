/* Ends a Python program without finalizing the interpreter. */
#pragma once

#include <Python.h>

/* To be called before any program runs: keeps a reference to the function that calls the atexit functions. Returns 0,
 * or -1 with a Python exception set. */
int python_end_prepare(void);

/* Turns the current exception into an exit status, and prints what python3 would print. Sets *interrupted if python3
 * would be killed by SIGINT after its cleanup. */
int python_end_exception(int *interrupted);

/* Does everything that a program can see between its last line and its exit, as python3 does: waits for threads, calls
 * atexit, flushes, destroys the program's modules so that finalizers run and files are flushed. Returns the final
 * status: the given one, or 120 if output could not be flushed. */
int python_end(int status);
