/* Ends a Ruby program without freeing the interpreter. Ruby's own end walks its heap and frees the memory of every
 * object, which copies two thirds of all pages that a run writes to. A program can see only a part of that work: exit
 * hooks, the end of its threads, the messages of errors, finalizers, and flushed files. Ruby itself does this part, in
 * its own order. When only the freeing is left, the process ends. Some programs go through Ruby's full end: programs
 * that end by an error or a signal, and programs with objects for which an extension has its own free function. */
#pragma once

#include <stdbool.h>

struct ruby_end;

/* To be called when the interpreter is initialised and before anything else is loaded, since hooks run last to first.
 * The result lives as long as the process. NULL: no memory. */
struct ruby_end *ruby_end_prepare(void);

/* To be called when everything is preloaded: objects that exist now need not be freed. */
void ruby_end_note_preloaded(struct ruby_end *end);
