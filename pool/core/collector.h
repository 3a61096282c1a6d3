/* Receives the files of a finished run, over the stream that proto/ipc/collect.h describes. The other end is Hatchery's
 * own program, but it handles the files of a hostile program. So every count, size and name is checked again here. The
 * collector has a time limit of its own, so that its end always comes. */
#pragma once

#include "proto/base/err.h"
#include "proto/base/submission.h"
#include "proto/ipc/collect.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct collector;

struct collector_task {
        const struct span *globs;
        size_t n_globs;
        uint32_t max_files;
        uint64_t max_bytes;
        int64_t max_us;

        /* The files that the run was given: a file with the same name, content and mode is left out, and counts against
         * no bound. NULL: all files that match are wanted. The array is copied; the bytes must stay valid until the
         * collector is done. */
        const struct file_span *given;
        size_t n_given;
};

/* Starts. *sandbox_end is the descriptor for ORDER_COLLECT; the caller sends it and then closes it. done(arg) is called
 * once, from the loop, unless the collector is freed before. */
int collector_new(struct collector **out, struct event_base *base, const struct collector_task *task,
                  void (*done)(void *arg), void *arg, int *sandbox_end, struct err *e);
void collector_free(struct collector *c);

/* The complete files; they live as long as the collector. */
struct file_span *collector_files(struct collector *c, size_t *n);

/* Bytes of memory that the collector holds. */
uint64_t collector_weight(const struct collector *c);

/* NULL: nothing is missing. Otherwise the reason, as a sentence. */
const char *collector_note(const struct collector *c);

/* The other end did not finish properly: the slot must not be used again. */
bool collector_is_broken(const struct collector *c);
