/* The command lines of languages that are data: from the words of the language's file to the arguments of a program. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job;

/* What a command line is for. A run line without {args} gets them at its end. One without {interpreter_args} gets those
 * after its first word. */
enum words_use { WORDS_COMPILE, WORDS_RUN };

/* In any word, {memory%N} is N percent of the run's memory limit, in MiB: for heaps that are to fit into it. */
bool words_name_memory(char *const *line);

/* The line with only that expanded, in fresh memory for words_free; NULL without memory. */
char **words_expand_memory(char *const *line, uint64_t memory_bytes);

/* The expanded line in fresh memory, to be released by words_free; NULL without memory, or where the work directory
 * can't be read. {sources} are found below the current directory, in the order of their names. A name that begins with
 * a dash gets "./" in front, so that no program takes it for an option. A word {unbuffered}REST is REST for a job that
 * wants no buffers, and left out for any other; a word {program}REST is REST for a job that has a program. */
char **words_expand(char *const *line, enum words_use use, const struct job *job, char *const *extensions);

/* Puts a copy of word where another word of an expanded line is. False without memory. */
bool words_replace(char **line, size_t at, const char *word);

/* The environment of a program: base, except for variables that overrides sets; of these the last one of a name counts.
 * Both are name=value and end with NULL; the strings are borrowed, the list is fresh memory for free(). NULL without
 * memory. */
char **words_environment(char *const *base, char *const *overrides);

void words_free(char **line);
