/* Has the set of installed packages changed? The package databases are looked at every now and then, which takes a few
 * microseconds. During an upgrade they change again and again, so only a change that is over counts. */
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
