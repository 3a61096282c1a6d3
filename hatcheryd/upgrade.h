/* Has the set of installed packages changed? A look at the package databases takes a few microseconds, and is repeated
 * now and then. During an upgrade the databases change again and again, so a change counts only when it is over. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct upgrade {
        uint64_t known, seen; /* hashes of the databases: at the last change that counted, and at the last look */
        int64_t look_ms;      /* when to look again */
};

void upgrade_init(struct upgrade *u, int64_t now_ms);

/* True once after each change. */
bool upgrade_is_over(struct upgrade *u, int64_t now_ms);
