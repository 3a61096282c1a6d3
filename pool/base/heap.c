/* A pairing heap: see heap.h. */
#include "pool/base/heap.h"

static bool is_before(const struct heap_node *a, const struct heap_node *b)
{
        return a->key != b->key ? a->key < b->key : a->order < b->order;
}

/* Joins two heaps, which are given by their tops. */
static struct heap_node *meld(struct heap_node *a, struct heap_node *b)
{
        if (!a || !b)
                return a ? a : b;
        if (is_before(b, a)) {
                struct heap_node *swap = a;
                a = b;
                b = swap;
        }
        b->back = a;
        b->next = a->child;
        if (a->child)
                a->child->back = b;
        a->child = b;
        return a;
}

/* Joins a row of siblings to one heap: first in pairs, then the pairs from the last to the first. */
static struct heap_node *meld_row(struct heap_node *first)
{
        struct heap_node *pairs = NULL, *all = NULL;

        while (first) {
                struct heap_node *a = first, *b = a->next;
                first = b ? b->next : NULL;
                a->next = a->back = NULL;
                if (b)
                        b->next = b->back = NULL;
                struct heap_node *pair = meld(a, b);
                pair->next = pairs;
                pairs = pair;
        }
        while (pairs) {
                struct heap_node *pair = pairs;
                pairs = pair->next;
                pair->next = NULL;
                all = meld(all, pair);
        }
        return all;
}

void heap_insert(struct heap *h, struct heap_node *node, int64_t key)
{
        *node = (struct heap_node){ .key = key, .order = ++h->order };
        h->top = meld(h->top, node);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
        if (!heap_has(node))
                return;
        struct heap_node *below = meld_row(node->child);
        if (node == h->top) {
                h->top = below;
        } else {
                if (node->back->child == node)
                        node->back->child = node->next;
                else
                        node->back->next = node->next;
                if (node->next)
                        node->next->back = node->back;
                h->top = meld(h->top, below);
        }
        *node = (struct heap_node){ 0 };
}
