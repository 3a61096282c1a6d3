/* What the files of gateway/run.h share: private to run*.c. A line is one connection to the pool. An ask is one request
 * on a line, of any kind. */
#pragma once

#include "client/event.h"
#include "gateway/run.h"

#include <sys/queue.h>

enum {
        RUN_LARGE =
                64 << 10, /* a request of more bytes goes over a line for such requests, so that none waits behind it */
        RUN_LARGE_LINES = 4,
        RUN_RETRY_MS = 1000,     /* the pool is away or full, and does not say for how long */
        RUN_ASK_US = 10000000,   /* a question that is no run is answered by then */
        RUN_STATUS_US = 1000000, /* a status is as good as new for so long */
};

struct ask {
        struct line *line;
        struct hatchery_call *call;
        void (*drop)(struct ask *a); /* the worker ends: frees what a is part of. NULL: nothing is to be freed */
        TAILQ_ENTRY(ask) link;       /* of its line */
};

struct line {
        struct runs *all;
        struct hatchery_client *client;
        struct hatchery_event *event;
        TAILQ_HEAD(, ask) asks; /* those in flight */
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
        struct line *large[RUN_LARGE_LINES]; /* made when they are needed; NULL: not yet */
        /* run_status.c */
        TAILQ_HEAD(askers, asker) askers;
        struct ask status_ask;
        bool is_asking;
        bool has_status;
        struct hatchery_answer status;
        int64_t status_at_us;
};

/* ---------------------------------------------------------------- run_line.c */

/* The line for a request of about so many bytes. NULL: why is filled. */
struct line *line_for(struct runs *all, size_t bytes, struct failure *why);

/* Sends q on the line, and enters a. A failure before sending fills why. */
int line_send(struct line *line, struct ask *a, const struct request *q, const struct hatchery_call_options *options,
              const struct hatchery_call_ops *ops, void *data, struct failure *why);

/* The call has ended. */
void ask_leave(struct ask *a);

/* ---------------------------------------------------------------- run_failure.c */

void failure_of_refusal(struct failure *why, const struct hatchery_refusal *refusal);
void failure_of_loss(struct failure *why, const struct hatchery_failure *f);

/* For an answer of a kind that the request can't have. */
void failure_of_oddity(struct failure *why);

/* ---------------------------------------------------------------- run_weight.c */

/* An upper bound of the size of q as a message, without encoding it. */
size_t request_weight(const struct request *q);

/* ---------------------------------------------------------------- run_status.c */

void status_fini(struct runs *all);
