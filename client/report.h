/* The end of a run on a command line: the exit code, and the sentence that explains it. */
#pragma once

#include "proto/wire/answer.h"
#include "proto/wire/request.h"

#include <stdbool.h>
#include <stddef.h>

enum {
        EXIT_NOT_READY = 1, /* only `hatchery status` returns it */
        EXIT_USAGE = 2,
        EXIT_TIME = 124,
        EXIT_REFUSED = 125, /* the server refused, or the result could not be fetched or delivered */
        EXIT_INTERRUPTED = 130,
        EXIT_SIGNAL = 128, /* plus the signal's number */
};

enum { REPORT_SIZE = 512 };

int report_exit_code(const hatchery_v1_Result *r);

/* Says why the run ended, and names the limits of the request x. False: the program exited, which needs no sentence. */
bool report_sentence(char out[REPORT_SIZE], const struct submission *x, const hatchery_v1_Result *r);

/* Says that the program was refused more processes, however it ended. False: it was not refused any. */
bool report_denied(char out[REPORT_SIZE], const struct submission *x, const hatchery_v1_Result *r);

/* Was this stream of the program or its compiler cut, without a kill? The sentence says which option brings more of it.
 * streamed: bytes of the program's two streams that came ahead of the answer. */
enum { REPORT_STREAMS = 4 };
bool report_cut(char out[REPORT_SIZE], unsigned stream, const struct answer *a, const uint64_t streamed[2]);

/* Did this output pattern of x match no file, although the run could have written one? */
bool report_unmatched(char out[REPORT_SIZE], const struct submission *x, size_t glob, const struct answer *a);

/* Status and resources, on one line. */
void report_stats(char out[REPORT_SIZE], const hatchery_v1_Result *r);
