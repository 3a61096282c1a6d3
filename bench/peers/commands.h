/* The command lines of the peers that are programs: each runs `python3 -I -c CODE` as its users run untrusted code. */
#pragma once

#include "bench/peers/lane.h"

enum { PEERS_MAX_ARGS = 96, PEERS_LINKS = 6 };

struct peers_argv {
        const char *arg[PEERS_MAX_ARGS + 1]; /* ends with NULL */
        unsigned n;                          /* 0: there is nothing to start */
};

/* A plain value with pointers into itself and into the lane: it must not be copied. */
struct peers_commands {
        struct peers_argv before; /* runs before each run, and counts as a part of it */
        struct peers_argv run;    /* its output is the answer */
        struct peers_argv after;  /* runs after each run, and is no part of its latency */
        struct peers_argv undo;   /* runs after a run that was given up */
        char id[48];
        char root[96];
        char link[PEERS_LINKS][64];
};

void peers_commands_fill(struct peers_commands *c, const struct peers_lane *lane);

/* The paths where a system with a merged /usr has links into /usr: "/bin" → "usr/bin". Returns the i-th path below the
 * root, and sets its kind on this host; NULL at the end. */
enum peers_root { PEERS_ROOT_LINK, PEERS_ROOT_FOLDER, PEERS_ROOT_NOTHING };
const char *peers_root_entry(unsigned i, enum peers_root *kind, char *target, size_t size);
