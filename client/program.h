/* From the options of `hatchery run` to the request: reads the files, gives them their names, finds the language. */
#pragma once

#include "client/options.h"
#include "proto/err.h"
#include "proto/request.h"

/* The request and all memory that it points into, but for the words of the command line. */
struct program {
        struct request request;
        void **owned;
        size_t n_owned;
};

/* p is to be released by program_fini in every case. */
int program_init(struct program *p, const struct options *o, struct err *e);
void program_fini(struct program *p);
