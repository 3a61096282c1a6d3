/* Shared by tests of the queue: a queue with two lanes, and entries to push. */
#pragma once

#include "pool/sched/queue.h"

#include "tests/unit/unit.h"

enum { ENTRIES = 64 };

struct fixture {
        struct queue q;
        struct queue_lane python, lua;
        struct queue_entry e[ENTRIES];
        size_t n;
};

static inline void set_up(struct fixture *f, unsigned max, uint64_t max_bytes)
{
        memset(f, 0, sizeof *f);
        queue_init(&f->q, max, max_bytes);
        queue_lane_init(&f->python);
        queue_lane_init(&f->lua);
}

static inline void tear_down(struct fixture *f)
{
        for (size_t i = 0; i < ENTRIES; i++)
                queue_leave(&f->q, &f->e[i], 0);
        assert_int_equal(f->q.count, 0);
        assert_int_equal(f->q.bytes, 0);
        assert_int_equal(f->q.accounts.n, 0);
        assert_null(f->q.accounts.clients);
        assert_null(f->q.lengths.top);
        assert_null(f->python.peers.turns.top);
        assert_null(f->lua.peers.turns.top);
}

static inline struct queue_entry *push(struct fixture *f, struct queue_lane *lane, const char *peer, const char *name,
                                       unsigned priority, uint64_t bytes)
{
        const struct queue_who who = { span_of_text(peer), span_of_text(name) };
        struct queue_entry *e = &f->e[f->n++];
        assert_true(f->n <= ENTRIES);
        assert_int_equal(queue_push(&f->q, lane, e, &who, priority, bytes), 0);
        return e;
}

static inline struct queue_entry *add(struct fixture *f, const char *peer)
{
        return push(f, &f->python, peer, "", 0, 1);
}
