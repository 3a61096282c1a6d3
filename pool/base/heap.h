/* A heap of embedded nodes (a pairing heap). The node with the least key is on top; equal keys come in the order of
 * their insertion. Any node may be removed. Inserting is O(1), removing is O(log n) amortised, and nothing is
 * allocated. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
        struct heap_node *child, *next; /* its first child, its next sibling */
        struct heap_node *back;         /* the sibling before it, or its parent */
        int64_t key;
        uint64_t order; /* number of the insertion; 0: in no heap */
};

struct heap {
        struct heap_node *top; /* NULL: empty */
        uint64_t order;
};

static inline bool heap_has(const struct heap_node *node)
{
        return node->order != 0;
}

/* The node must not be in a heap. */
void heap_insert(struct heap *h, struct heap_node *node, int64_t key);

/* Harmless for a node that is in no heap. */
void heap_remove(struct heap *h, struct heap_node *node);
