/* Kept answers and their peers: see kept.h. */
#include "pool/native/kept.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

/* A peer exists as long as answers of it are kept. */
struct kept_peer {
        struct scope scope; /* the first member, since the tree compares it */
        size_t bytes;
        struct heap_node weight;
        struct kept_list answers;
};

static int compare(const void *a, const void *b)
{
        const struct scope *one = a, *other = b;

        if (one->trusted != other->trusted)
                return one->trusted ? 1 : -1;
        if (one->caller.len != other->caller.len)
                return one->caller.len < other->caller.len ? -1 : 1;
        return memcmp(one->caller.bytes, other->caller.bytes, one->caller.len);
}

void kept_init(struct kept_answers *all)
{
        *all = (struct kept_answers){ 0 };
        TAILQ_INIT(&all->all);
}

static struct kept_peer *peer_of(struct kept_answers *all, const struct scope *scope)
{
        struct kept_peer *const *found = tfind(scope, &all->peers, compare);
        if (found)
                return *found;

        struct kept_peer *peer = calloc(1, sizeof *peer);
        if (!peer)
                return NULL;
        peer->scope = *scope;
        TAILQ_INIT(&peer->answers);
        if (!tsearch(peer, &all->peers, compare)) {
                free(peer);
                return NULL;
        }
        all->peer_bytes += sizeof *peer;
        return peer;
}

static void reweigh(struct kept_answers *all, struct kept_peer *peer, size_t bytes)
{
        peer->bytes = bytes;
        heap_remove(&all->heaviest, &peer->weight);
        heap_insert(&all->heaviest, &peer->weight, -(int64_t)bytes);
}

bool kept_add(struct kept_answers *all, struct kept *k, const struct scope *scope, size_t cost)
{
        struct kept_peer *peer = peer_of(all, scope);

        if (!peer)
                return false;
        k->peer = peer;
        k->cost = cost;
        TAILQ_INSERT_TAIL(&all->all, k, age);
        TAILQ_INSERT_TAIL(&peer->answers, k, of_peer);
        reweigh(all, peer, peer->bytes + cost);
        all->n++;
        return true;
}

void kept_remove(struct kept_answers *all, struct kept *k)
{
        struct kept_peer *peer = k->peer;

        TAILQ_REMOVE(&all->all, k, age);
        TAILQ_REMOVE(&peer->answers, k, of_peer);
        reweigh(all, peer, peer->bytes - k->cost);
        all->n--;
        k->peer = NULL;
        if (!TAILQ_EMPTY(&peer->answers))
                return;
        heap_remove(&all->heaviest, &peer->weight);
        tdelete(peer, &all->peers, compare);
        all->peer_bytes -= sizeof *peer;
        free(peer);
}

struct kept *kept_oldest(const struct kept_answers *all)
{
        return TAILQ_FIRST(&all->all);
}

static const struct kept_peer *of_weight(const struct heap_node *node)
{
        return (const struct kept_peer *)(const void *)((const char *)node - offsetof(struct kept_peer, weight));
}

struct kept *kept_next_to_go(const struct kept_answers *all)
{
        return all->heaviest.top ? TAILQ_FIRST(&of_weight(all->heaviest.top)->answers) : NULL;
}
