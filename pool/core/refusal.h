/* A refusal: what a client gets in place of a result. */
#pragma once

#include "hatchery.pb.h"

#include <stdint.h>

enum { REFUSED = 1 };

struct refusal {
        hatchery_v1_Error_Code code;
        uint64_t retry_after_ms;
        char text[512]; /* as Error.message has room for */
};

/* Fills r and returns REFUSED. */
int refuse(struct refusal *r, hatchery_v1_Error_Code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
