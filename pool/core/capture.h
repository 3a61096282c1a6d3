/* One output stream of a run: keeps exactly the first bytes up to a limit, and counts the rest. Memory grows with the
 * output, not with the limit. */
#pragma once

#include "proto/base/err.h"
#include "proto/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CAPTURE_MORE = 0, CAPTURE_END = 1 };

struct capture {
        uint8_t *data;
        size_t len, room;
        size_t start;   /* this many of the first bytes of data were dropped */
        size_t limit;   /* the most bytes that are held */
        uint64_t total; /* bytes seen, kept or not */
};

/* Adds len bytes. -ENOMEM. */
int capture_put(struct capture *c, const uint8_t *data, size_t len, struct err *e);

/* Reads a non-blocking descriptor once, through scratch. CAPTURE_END: its end. CAPTURE_MORE: *n bytes were read (0:
 * there is nothing to read now). A negative errno: no memory, or reading failed. */
int capture_read(struct capture *c, int fd, uint8_t *scratch, size_t scratch_size, size_t *n, struct err *e);

/* Drops the first len bytes that are held; total still counts them. When no byte is held any more, it frees the
 * memory. */
void capture_drop(struct capture *c, size_t len);

/* True if more bytes came than could be kept. Only for a capture that has dropped nothing. */
bool capture_is_over(const struct capture *c);
struct span capture_span(const struct capture *c);
void capture_fini(struct capture *c);
