/* The conclusions: figures that compare rows of the same round. Some have a bar that they must hold, and a value that
 * they should reach. Each is computed within every round, and the median of the rounds is quoted: so a machine that
 * slows down for a while changes both sides. */
#pragma once

#include "bench/results.h"

#include <stdbool.h>
#include <stddef.h>

enum bar_kind {
        BAR_RATIO,      /* over / under */
        BAR_FIGURE,     /* over, by itself */
        BAR_DIFFERENCE, /* over - under */
        BAR_GROWTH,     /* (over - under) / (warm sandboxes of over's server - those of under's) */
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
        double scale;  /* the unit, as a multiple of the metric's own; 0: 1 */
        double bar;    /* 0: none, the figure is for information */
        double reach;  /* the goal beyond the bar; 0: none */
        bool at_least; /* the bar is a minimum, else a maximum */
};

extern const struct bar bar_table[];
extern const size_t bar_count;

/* False, with a sentence in reason, if the figure can't be computed. */
bool bar_spread(const struct bar *b, const struct results *r, struct spread *out, char reason[ERR_TEXT_SIZE]);

bool bar_holds(const struct bar *b, double value);
