/* Finds the language of a program that is sent without -l, from its file and from the server's list of languages. Pure.
 *
 * A first line "#!/usr/bin/env NAME" decides, if a language of the server has an interpreter of that name. Otherwise
 * the ending of the file's name decides. Without either sign, only the code of -e is taken for Python. */
#pragma once

#include "proto/base/err.h"
#include "proto/wire/answer.h"
#include "proto/wire/request.h"
#include "proto/wire/wire.h"

#include <stdbool.h>

enum { GUESS_FOUND = 0, GUESS_NOT_YET = 1, GUESS_WORD = 32 };

struct guess {
        char file[64];                /* the file's name, as error sentences show it */
        char ending[GUESS_WORD];      /* "": there is none */
        char interpreter[GUESS_WORD]; /* the NAME of its first line; "": there is none */
};

/* Reads the signs of the program that x starts. False: it has none, because it is code and not a file. */
bool guess_read(struct guess *g, const struct submission *x);

/* Finds the language's name in a server's list. GUESS_NOT_YET: none fits, but languages are still starting. -EINVAL:
 * none fits, or more than one does; the sentence says what to do. */
int guess_find(const struct guess *g, const struct answer *status, char language[WIRE_MAX_LANGUAGE + 1], struct err *e);
