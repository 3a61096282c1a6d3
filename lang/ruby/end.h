/* The end of a Ruby program, without the end of the interpreter. Ruby's own end walks its heap and frees the memory of
 * every object, which copies two thirds of all pages that a run writes to. A program can see only a part of it: exit
 * hooks, the end of its threads, the messages of errors, finalizers, and flushed files. Ruby itself does all of that,
 * in its order. When only the freeing is left, the process ends. Some programs take the full way: those that end by an
 * error or a signal, and those with objects of an extension that acts when it is freed.
 */
#pragma once

#include <stdbool.h>

struct ruby_end;

/* To be called when the interpreter is initialised and before anything else is loaded, since hooks run last to first.
 * The result lives as long as the process. NULL: no memory. */
struct ruby_end *ruby_end_prepare(void);

/* To be called when everything is preloaded: objects that exist now need no end. */
void ruby_end_note_preloaded(struct ruby_end *end);
