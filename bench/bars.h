/* What is concluded: figures that compare rows of the same round, some of which have a bar that they shall hold and a
 * value that they shall reach. Each is computed within every round, and the median of the rounds is what is quoted: so
 * a machine that slows down for a while moves both sides of it. */
#pragma once

#include "bench/results.h"

#include <stdbool.h>
#include <stddef.h>

enum bar_kind {
        BAR_RATIO,  /* over / under */
        BAR_FIGURE, /* over, by itself */
        BAR_GROWTH, /* what over has more than under, by the sandboxes that its server keeps warm beyond under's */
};

struct bar_side {
        enum row_id row;
        enum metric metric;
};

struct bar {
        const char *name;
        const char *title;
        const char *unit; /* "" for ratios */
        enum bar_kind kind;
        struct bar_side over;
        struct bar_side under;
        double scale;  /* the unit, in what the metric counts in; 0: 1 */
        double bar;    /* 0: none, the figure is for information */
        double reach;  /* what we want beyond the bar; 0: none */
        bool at_least; /* what the bar asks for, else at most */
};

extern const struct bar bar_table[];
extern const size_t bar_count;

/* False where it can't be computed, with the reason as a sentence. */
bool bar_spread(const struct bar *b, const struct results *r, struct spread *out, char reason[ERR_TEXT_SIZE]);

bool bar_holds(const struct bar *b, double value);
