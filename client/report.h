/* What the end of a run means on a command line: the exit code, and the sentence that explains it. */
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

/* What happened; x is what was asked, for the limits it named. False: it exited, which needs no words. */
bool report_sentence(char out[REPORT_SIZE], const struct submission *x, const hatchery_v1_Result *r);

/* Of a program that was refused processes, however it ended. False: there was nothing of the kind. */
bool report_denied(char out[REPORT_SIZE], const struct submission *x, const hatchery_v1_Result *r);

/* Of each stream, the program's and its compiler's: whether it came cut, though nothing was killed for that, and how
 * more of it can be had. streamed: bytes of the program's two streams that came before the answer. */
enum { REPORT_STREAMS = 4 };
bool report_cut(char out[REPORT_SIZE], unsigned stream, const struct answer *a, const uint64_t streamed[2]);

/* Whether this pattern of x has brought no file, where it could have. */
bool report_unmatched(char out[REPORT_SIZE], const struct submission *x, size_t glob, const struct answer *a);

/* Status and resources, on one line. */
void report_stats(char out[REPORT_SIZE], const hatchery_v1_Result *r);
