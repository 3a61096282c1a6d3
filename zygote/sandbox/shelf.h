/* Shelves: places for descriptors at low numbers, so that a sandbox is born with few.
 *
 * A fork copies the parent's whole table of descriptors, and the zygote has some 20 per slot. With 64 slots, copying
 * and closing them took 200 us of a sandbox's 2.7 ms. So a child shares the zygote's table at first (CLONE_FILES). Then
 * it copies only the table's lower end (close_range with CLOSE_RANGE_UNSHARE, Linux 5.9), at a cost that does not
 * depend on the rest. The descriptors that a child needs lie at this lower end, on a shelf of its own, until the child
 * has reported. The numbers of all shelves are reserved, so that no other descriptor lands between them. */
#pragma once

#include "proto/base/err.h"

#include <stdbool.h>

enum { SHELF_COUNT = 8, SHELF_ROOM = 6 };

struct shelves {
        int holder; /* owned; the number below the first */
        int first;
        bool taken[SHELF_COUNT];
};

/* Reserves the numbers above all open descriptors. Later descriptors land above them, or in gaps far below. */
int shelves_init(struct shelves *s, struct err *e);

/* The first number of a free shelf with copies of the n <= SHELF_ROOM descriptors (borrowed), in their order; -EAGAIN
 * if none is free. */
int shelf_take(struct shelves *s, const int *fds, unsigned n);

/* Closes the copies on the shelf that begins at this number; -1 is ignored. */
void shelf_give_back(struct shelves *s, int shelf);

bool shelves_are_full(const struct shelves *s);

/* The number above the last place. */
int shelves_end(const struct shelves *s);

/* In the child: it gets a table of its own without the descriptors from end on. 0 or a negative errno. */
int shelves_leave(int end);
