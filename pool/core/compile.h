/* The compile step of an execution: its result, and the artifacts that the run step gets among its files. The bytes of
 * the artifacts belong to the collector or to the cache entry that they came from. Pure. */
#pragma once

#include "pool/cache/cache.h"
#include "pool/core/capture.h"
#include "pool/core/outcome.h"
#include "pool/sched/language.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct collector;

struct compile {
        bool done; /* there are artifacts */
        struct compile_outcome outcome;
        struct capture captured_out, captured_err;
        struct collector *collector;
        struct cached *cached;
        const struct file_span *artifacts;
        size_t n_artifacts;
        bool keyed; /* the cache was asked by this key, and is to keep the result: */
        struct cache_key key;
};

enum {
        COMPILE_MAX_PATTERNS = 64,
        COMPILE_MAX_ARTIFACTS = 1024,
        COMPILE_MAX_BYTES = 64 << 20, /* of all artifacts together, which the pool holds for a short time */
};

/* The patterns of files to collect; returns their number. Their bytes belong to the configuration. */
size_t compile_patterns(const struct compile_rules *rules, struct span out[COMPILE_MAX_PATTERNS]);

/* True if the run line starts this artifact: the line's first word is "./" and the artifact's name. */
bool compile_starts(const struct compile_rules *rules, struct span name);

/* Bytes of memory that the compile step holds. */
uint64_t compile_weight(const struct compile *c);

void compile_fini(struct compile *c);
