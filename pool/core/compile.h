/* The compile stage as its run keeps it: what came of it, and the artifacts that the run stage gets among its files.
 * They are held by whoever brought them, a collector or the cache. Pure. */
#pragma once

#include "hatchery.pb.h"
#include "pool/cache/cache.h"
#include "pool/core/capture.h"
#include "proto/wire/request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct collector;
struct config_runtime;

/* What the configuration says of a language's compile stage. What it points to is the configuration's. */
struct compile_rules {
        const struct config_runtime *runtime; /* NULL: it is no data, and has no such stage */
        int64_t standard[LIMIT_COUNT];        /* of the limits of the stage */
        int64_t ceiling[LIMIT_COUNT];
};

struct compile {
        bool done; /* there are artifacts */
        hatchery_v1_CompileStage stage;
        struct span out, err; /* what the compiler said */
        struct capture captured_out, captured_err;
        struct collector *collector;
        struct cached *cached;
        const struct file_span *artifacts;
        size_t n_artifacts;
        bool keyed; /* the cache has been asked, and takes what comes: */
        struct cache_key key;
};

enum {
        COMPILE_ARTIFACT_MODE = 0755,
        COMPILE_MAX_PATTERNS = 64,
        COMPILE_MAX_ARTIFACTS = 1024,
        COMPILE_MAX_BYTES = 64 << 20, /* of all artifacts together: what the pool holds for a moment */
};

/* What is to be collected: the number of patterns, whose bytes are the configuration's. */
size_t compile_patterns(const struct compile_rules *rules, struct span out[COMPILE_MAX_PATTERNS]);

/* The run line starts this artifact: its first word is "./" and the name. */
bool compile_starts(const struct compile_rules *rules, struct span name);

/* Bytes of memory that it holds. */
uint64_t compile_weight(const struct compile *c);

/* This file of the request is covered by an artifact of the same name. */
bool compile_replaces(const struct compile *c, struct span name);

void compile_fini(struct compile *c);
