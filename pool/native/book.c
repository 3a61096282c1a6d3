/* Callers of trusted connections: see book.h. */
#include "pool/native/book.h"

#include "pool/base/invariant.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

/* Compares callers. The tree's nodes are books, and the first member of a book is its caller. */
static int compare(const void *a, const void *b)
{
        const struct caller *one = a, *other = b;

        if (one->len != other->len)
                return one->len < other->len ? -1 : 1;
        return memcmp(one->bytes, other->bytes, one->len);
}

struct book *books_find(struct books *all, const struct caller *caller)
{
        struct book *const *found = tfind(caller, &all->tree, compare);
        if (found)
                return *found;

        struct book *book = calloc(1, sizeof *book);
        if (!book)
                return NULL;
        book->caller = *caller;
        LIST_INIT(&book->outboxes);
        if (!tsearch(book, &all->tree, compare)) {
                free(book);
                return NULL;
        }
        return book;
}

void books_settle(struct books *all, struct book *book)
{
        if (!LIST_EMPTY(&book->outboxes))
                return;
        INVARIANT(book->in_flight == 0, "a caller with %u requests in flight is forgotten", book->in_flight);
        tdelete(book, &all->tree, compare);
        free(book);
}
