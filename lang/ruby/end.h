/* The end of a Ruby program, without the end of the interpreter. Ruby's own end walks its heap and gives back what
 * every object holds, which copies two thirds of all pages that a run writes to. What a program can see of it is less:
 * exit hooks, the end of its threads, the messages of errors, finalizers, and files that are flushed. All of that is
 * left to Ruby, in its order; where nothing but the giving back is left, the process ends. A program that ends by an
 * error or a signal, or has objects of an extension that sees to something itself when it is freed, takes the full way.
 */
#pragma once

#include <stdbool.h>

struct ruby_end;

/* When the interpreter is initialised and before anything else is loaded, since what was registered first comes last.
 * What is returned lives as long as the process. NULL: no memory. */
struct ruby_end *ruby_end_prepare(void);

/* When everything is preloaded: what is there now needs no end. */
void ruby_end_note_preloaded(struct ruby_end *end);
