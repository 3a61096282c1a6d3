/* The end of a run on a command line: the exit code, and the sentence that explains it. */
#pragma once

#include "proto/wire/answer.h"
#include "proto/wire/request.h"

#include <stdbool.h>
#include <stddef.h>

enum {
        EXIT_NOT_READY = 1, /* of `hatchery status` alone */
        EXIT_USAGE = 2,
        EXIT_TIME = 124,
        EXIT_REFUSED = 125, /* or the run's result could not be had or delivered */
        EXIT_INTERRUPTED = 130,
        EXIT_SIGNAL = 128, /* and the signal */
};

enum { REPORT_SIZE = 512 };

int report_exit_code(const hatchery_v1_Result *r);

/* Why the run ended. x is the request, whose limits are named. False: the program exited, which needs no words. */
bool report_sentence(char out[REPORT_SIZE], const struct submission *x, const hatchery_v1_Result *r);

/* The program was refused processes, however it ended. False: it was not. */
bool report_denied(char out[REPORT_SIZE], const struct submission *x, const hatchery_v1_Result *r);

/* Was this stream, of the program or its compiler, cut without killing anything? The sentence tells how more of it can
 * be had. streamed: bytes of the program's two streams that came before the answer. */
enum { REPORT_STREAMS = 4 };
bool report_cut(char out[REPORT_SIZE], unsigned stream, const struct answer *a, const uint64_t streamed[2]);

/* Did this pattern of x bring no file, where it could have? */
bool report_unmatched(char out[REPORT_SIZE], const struct submission *x, size_t glob, const struct answer *a);

/* Status and resources, on one line. */
void report_stats(char out[REPORT_SIZE], const hatchery_v1_Result *r);
