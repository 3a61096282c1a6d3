/* A refusal: a caller gets it in place of an outcome. */
#pragma once

#include <stdint.h>

enum { REFUSED = 1 };

/* The numbers are those of hatchery.v1.Error.Code, which are gRPC's; pool/native asserts that they are equal. */
enum refusal_code {
        REFUSAL_CANCELLED = 1,
        REFUSAL_INVALID_ARGUMENT = 3,
        REFUSAL_DEADLINE_EXCEEDED = 4,
        REFUSAL_NOT_FOUND = 5,
        REFUSAL_PERMISSION_DENIED = 7,
        REFUSAL_RESOURCE_EXHAUSTED = 8,
        REFUSAL_ABORTED = 10,
        REFUSAL_INTERNAL = 13,
        REFUSAL_UNAVAILABLE = 14,
};

enum { REFUSAL_CODES = 17 }; /* above every code */

struct refusal {
        enum refusal_code code;
        uint64_t retry_after_ms; /* 0: it is not known when to try again */
        char text[512];          /* the fault and the remedy; as large as Error.message */
};

/* Fills r and returns REFUSED. */
int refuse(struct refusal *r, enum refusal_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
