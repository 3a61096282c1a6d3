/* From the options of `hatchery run` to the request: reads the files, and gives them their names. If their language is
 * not given, the server's list of languages decides: see guess.h. */
#pragma once

#include "client/guess.h"
#include "client/options.h"
#include "proto/base/err.h"
#include "proto/wire/request.h"

/* The request and all memory that it points into, except the words of the command line. */
struct program {
        struct request request; /* its language is empty if only the server's list can tell it: see consult.h */
        struct guess guess;
        char language[WIRE_MAX_LANGUAGE + 1]; /* the language that the server's list gave */
        void **owned;
        size_t n_owned;
};

/* p is to be released by program_fini in every case. */
int program_init(struct program *p, const struct options *o, struct err *e);
void program_fini(struct program *p);
