/* The command lines of languages that are data: turns the words of the language's file into the arguments of a program.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job;

/* What a command line is for. A run line without {args} gets the arguments at its end. A run line without
 * {interpreter_args} gets the interpreter's arguments after its first word. */
enum words_use { WORDS_COMPILE, WORDS_RUN };

/* True if a word of the line has {memory%N}. It stands for N percent of the run's memory limit, in MiB, and sizes a
 * heap so that it fits into the limit. */
bool words_name_memory(char *const *line);

/* The line with only {memory%N} expanded, in fresh memory that words_free releases. NULL: out of memory. */
char **words_expand_memory(char *const *line, uint64_t memory_bytes);

/* The expanded line in fresh memory, which words_free releases. NULL: out of memory, or the work directory can't be
 * read. {sources} are found below the current directory, in the order of their names. A name that begins with -, @ or +
 * gets "./" in front, so that no program takes it for an option. A word {unbuffered}REST becomes REST for a job that
 * wants no buffers, and is left out for any other job. A word {program}REST becomes REST for a job that has a program,
 * and is left out for any other job. */
char **words_expand(char *const *line, enum words_use use, const struct job *job, char *const *extensions);

/* Replaces the word at this index of an expanded line by a copy of word. False: out of memory. */
bool words_replace(char **line, size_t at, const char *word);

/* The environment of a program: the variables of overrides, and those of base that overrides does not set. If overrides
 * sets a name more than once, the last value counts. Both lists hold name=value, and end with NULL. The strings are
 * borrowed; the list is fresh memory for free(). NULL: out of memory. */
char **words_environment(char *const *base, char *const *overrides);

void words_free(char **line);
