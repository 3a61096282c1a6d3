/* Takes in the files that a finished run leaves, from the stream that proto/ipc/collect.h describes. What stands at the
 * other end is Hatchery's own, but it handles what a hostile program left behind: every count, size and name is checked
 * again here. It has a time limit of its own, so that its end always comes. */
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

        /* The files that the run was given: one that has name, content and mode still is left out, and counts against
         * no bound. NULL: all that match are wanted. The array is copied; the bytes must outlive the collector's work.
         */
        const struct file_span *given;
        size_t n_given;
};

/* Starts; *sandbox_end is the descriptor for ORDER_COLLECT, which the caller closes once it is sent. done(arg) is
 * called once, from the loop, unless the collector is freed before. */
int collector_new(struct collector **out, struct event_base *base, const struct collector_task *task,
                  void (*done)(void *arg), void *arg, int *sandbox_end, struct err *e);
void collector_free(struct collector *c);

/* The files that came whole; they live as long as the collector. */
struct file_span *collector_files(struct collector *c, size_t *n);

/* Bytes of memory that they are. */
uint64_t collector_weight(const struct collector *c);

/* NULL: nothing is missing. Otherwise why, as a sentence. */
const char *collector_note(const struct collector *c);

/* The other end did not finish as it should: the slot is not to be used again. */
bool collector_is_broken(const struct collector *c);
