/* Waiting requests: see queue.h. */
#include "pool/queue.h"

void queue_init(struct queue *q, unsigned max, uint64_t max_bytes)
{
        *q = (struct queue){ .max = max, .max_bytes = max_bytes };
}

void queue_lane_init(struct queue_lane *lane)
{
        lane->ends = (struct queue_entry){ .prev = &lane->ends, .next = &lane->ends };
        lane->count = 0;
}

static void insert(struct queue *q, struct queue_lane *lane, struct queue_entry *entry, struct queue_entry *before,
                   size_t bytes)
{
        *entry = (struct queue_entry){ .prev = before->prev, .next = before, .lane = lane, .bytes = bytes };
        entry->prev->next = entry;
        before->prev = entry;
        lane->count++;
        q->count++;
        q->bytes += bytes;
}

int queue_push(struct queue *q, struct queue_lane *lane, struct queue_entry *entry, size_t bytes)
{
        if (q->count >= q->max || (q->count > 0 && q->bytes + bytes > q->max_bytes))
                return QUEUE_FULL;
        insert(q, lane, entry, &lane->ends, bytes);
        return QUEUE_OK;
}

void queue_push_first(struct queue *q, struct queue_lane *lane, struct queue_entry *entry, size_t bytes)
{
        insert(q, lane, entry, lane->ends.next, bytes);
}

struct queue_entry *queue_first(const struct queue_lane *lane)
{
        return lane->count > 0 ? lane->ends.next : NULL;
}

void queue_remove(struct queue *q, struct queue_entry *entry)
{
        if (!entry->lane)
                return;
        entry->prev->next = entry->next;
        entry->next->prev = entry->prev;
        entry->lane->count--;
        q->count--;
        q->bytes -= entry->bytes;
        *entry = (struct queue_entry){ 0 };
}
