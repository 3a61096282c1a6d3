/* The common part of all ways to ask a peer. A lane is one of the parallel askers: a thread of its own, which opens its
 * way to the peer, asks, checks each answer, and closes. */
#pragma once

#include "bench/base/sample.h"
#include "bench/base/workload.h"
#include "bench/peers/peer.h"

#include <stdarg.h>
#include <stdint.h>

struct peers_lane {
        enum peer_id id;
        unsigned number; /* among the lanes of this peer */
        const struct peers *peers;
        const struct program *program;
        void *state; /* private data of the way, from open to close */
};

struct peers_verdict {
        bool right;
        uint64_t ended_ns; /* when the answer was known; what a peer does after that for the next run is not counted */
        char why[SAMPLE_TEXT_SIZE];
};

struct peers_way {
        int (*open)(struct peers_lane *lane, struct err *e);
        /* One run. 0 whether the answer is right or wrong; an error if no answer came. */
        int (*run)(struct peers_lane *lane, struct peers_verdict *v, struct err *e);
        void (*close)(struct peers_lane *lane); /* also after a failed open */
};

void peers_wrong(struct peers_verdict *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline const char *peers_place(const struct peers_lane *lane)
{
        return lane->peers->place[lane->id];
}
