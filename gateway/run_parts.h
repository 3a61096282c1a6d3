/* Declarations that only run*.c share. A line is one connection to the pool. An ask is one request on a line, of any
 * kind. */
#pragma once

#include "client/event.h"
#include "gateway/run.h"

#include <sys/queue.h>

enum {
        RUN_LARGE = 64 << 10, /* larger requests go over lines of their own, so that no small one waits for them */
        RUN_LARGE_LINES = 4,
        RUN_RETRY_MS = 1000,     /* Retry-After if the pool is away or full, and names no time */
        RUN_ASK_US = 10000000,   /* deadline of a request that is no run */
        RUN_STATUS_US = 1000000, /* a status is used again for so long */
};

struct ask {
        struct line *line;
        struct hatchery_call *call;
        void (*drop)(struct ask *a); /* the worker ends: frees the structure around a. NULL: nothing to free */
        TAILQ_ENTRY(ask) link;       /* in the asks of line */
};

struct line {
        struct runs *all;
        struct hatchery_client *client;
        struct hatchery_event *event;
        TAILQ_HEAD(, ask) asks; /* asks in flight */
        bool is_down;           /* the connection was lost or could not be made; another attempt follows */
        int64_t retry_ms;
};

/* An exchange that waits for the pool's status. */
struct asker {
        struct runs *all;
        struct exchange *x;
        void (*told)(struct exchange *x, void *data, const struct hatchery_answer *status, const struct failure *why);
        void *data;
        TAILQ_ENTRY(asker) link;
};

struct runs {
        struct event_base *base;
        char *address;
        uint32_t max_request_bytes;
        struct line *small;
        struct line *large[RUN_LARGE_LINES]; /* each is made when it is needed; NULL: not made yet */
        /* for run_status.c: */
        TAILQ_HEAD(askers, asker) askers;
        struct ask status_ask;
        bool is_asking;
        bool has_status;
        struct hatchery_answer status;
        int64_t status_at_us;
};

/* ---------------------------------------------------------------- run_line.c */

/* The line for a request of about that many bytes. NULL: there is no line, and why is filled. */
struct line *line_for(struct runs *all, size_t bytes, struct failure *why);

/* Sends q on the line, and adds a to line->asks. Negative: nothing was sent, and why is filled. */
int line_send(struct line *line, struct ask *a, const struct request *q, const struct hatchery_call_options *options,
              const struct hatchery_call_ops *ops, void *data, struct failure *why);

/* Removes a from its line: the call has ended. */
void ask_leave(struct ask *a);

/* ---------------------------------------------------------------- run_failure.c */

void failure_of_refusal(struct failure *why, const struct hatchery_refusal *refusal);
void failure_of_loss(struct failure *why, const struct hatchery_failure *f);

/* Fills why for an answer of a kind that the request can't have. */
void failure_of_oddity(struct failure *why);

/* ---------------------------------------------------------------- run_weight.c */

/* An upper bound of the size of q as a message, without encoding it. */
size_t request_weight(const struct request *q);

/* ---------------------------------------------------------------- run_status.c */

void status_fini(struct runs *all);
