/* The calls of one connection by the ids of their requests. Each message about a request looks there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct call;

struct call_table {
        struct call **bucket; /* NULL: there never was a call */
        unsigned bits;        /* there are 2^bits buckets */
        unsigned n;           /* calls */
};

/* False: no memory, and nothing has changed. The id must be new. */
bool call_table_add(struct call_table *t, struct call *call);
void call_table_remove(struct call_table *t, struct call *call);
struct call *call_table_find(const struct call_table *t, uint64_t id);
size_t call_table_weight(const struct call_table *t);

/* Frees the table's memory. The table must be empty, and may be used again. */
void call_table_fini(struct call_table *t);
