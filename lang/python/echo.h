/* Prints the value of a program's last statement as the interactive interpreter does, if that statement is an
 * expression. */
#pragma once

#include <Python.h>

/* A program in two parts: all but the last statement, and the last statement, which prints its value by
 * sys.displayhook. */
struct python_echo {
        PyObject *body, *last; /* code objects, owned */
};

/* Compiles both parts. Returns 1, or 0 if there is nothing to print: the program does not end with an expression, or
 * can't be compiled. Running it in the ordinary way then reports the error. */
int python_echo_compile(const char *filename, struct python_echo *out);

/* Runs both parts and releases the code. None, or NULL with an exception. */
PyObject *python_echo_run(struct python_echo *echo, PyObject *globals);
