/* Requests that wait for a sandbox: one lane per language, first come first served, and one bound over all lanes, in
 * number and in bytes. Pure: entries are embedded in what waits, time is the business of whoever waits, and nothing is
 * allocated. Only push, first and remove are known outside, so that a fair order can take the place of this one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { QUEUE_OK = 0, QUEUE_FULL = 1 };

struct queue_lane;

struct queue_entry {
        struct queue_entry *prev, *next;
        struct queue_lane *lane; /* NULL: not queued */
        size_t bytes;
};

struct queue_lane {
        struct queue_entry ends; /* of a ring */
        unsigned count;
};

struct queue {
        unsigned max;
        uint64_t max_bytes;
        unsigned count;
        uint64_t bytes;
};

void queue_init(struct queue *q, unsigned max, uint64_t max_bytes);
void queue_lane_init(struct queue_lane *lane);

/* QUEUE_FULL: not taken. An entry alone is never too large. */
int queue_push(struct queue *q, struct queue_lane *lane, struct queue_entry *entry, size_t bytes);

/* To the front, whatever the bound says: for what can be served at once, or had been taken out and could not be. */
void queue_push_first(struct queue *q, struct queue_lane *lane, struct queue_entry *entry, size_t bytes);

/* The next to be served, or NULL. It stays until it is removed. */
struct queue_entry *queue_first(const struct queue_lane *lane);

/* Harmless for an entry that is not queued. */
void queue_remove(struct queue *q, struct queue_entry *entry);
