/* A heap of embedded nodes (a pairing heap): the least key on top, equal keys in the order of their coming; nodes may
 * leave from anywhere. O(1) to insert, O(log n) amortised to remove, and nothing is allocated. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
        struct heap_node *child, *next; /* its first child, its next sibling */
        struct heap_node *back;         /* the sibling before it, or its parent */
        int64_t key;
        uint64_t order; /* of coming; 0: in no heap */
};

struct heap {
        struct heap_node *top; /* NULL: empty */
        uint64_t order;
};

static inline bool heap_has(const struct heap_node *node)
{
        return node->order != 0;
}

/* The node is in no heap. */
void heap_insert(struct heap *h, struct heap_node *node, int64_t key);

/* Harmless for a node that is in no heap. */
void heap_remove(struct heap *h, struct heap_node *node);
