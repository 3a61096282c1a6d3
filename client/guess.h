/* Which language a program is in that is sent without -l: what its file tells, and what the server makes of that. Pure.
 *
 * A first line "#!/usr/bin/env NAME" counts most, where the server has a language that runs what is so called; then the
 * ending of the file's name. Nothing is taken for Python that does not say so, but for the code of -e. */
#pragma once

#include "proto/base/err.h"
#include "proto/wire/answer.h"
#include "proto/wire/request.h"
#include "proto/wire/wire.h"

#include <stdbool.h>

enum { GUESS_FOUND = 0, GUESS_NOT_YET = 1, GUESS_WORD = 32 };

struct guess {
        char file[64];                /* as sentences call it */
        char ending[GUESS_WORD];      /* "": there is none */
        char interpreter[GUESS_WORD]; /* of its first line; "": there is none */
};

/* What the program that x starts tells. False: nothing, and it is code and no file. */
bool guess_read(struct guess *g, const struct submission *x);

/* The name of the language by what a server says of its own. GUESS_NOT_YET: none fits, but languages are still
 * starting. -EINVAL: none fits, or more than one does; the sentence tells what to do. */
int guess_find(const struct guess *g, const struct answer *status, char language[WIRE_MAX_LANGUAGE + 1], struct err *e);
