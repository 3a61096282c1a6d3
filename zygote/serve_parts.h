/* Shared by the parts of the zygote's loop: serve.c waits for events and hands them out, serve_orders.c carries out the
 * pool's orders, serve_ends.c handles deaths. The three are one object and call each other: an order may end a sandbox,
 * and after the end of a sandbox, an order is carried out that waited for the end. */
#pragma once

#include "zygote/base/ceilings.h"
#include "zygote/serve.h"

#include <stdbool.h>
#include <stdint.h>

enum { LOOK_MS = 1000, REST_LOOK_MS = 2 };

struct serve {
        const struct log *log;
        struct tenant_maker *maker;
        int channel;
        int report_sock;
        int epoll; /* owned */
        struct ceilings ceilings;
        uint64_t last_sandbox; /* the highest number that was ordered */
        bool done;
        bool starved;         /* a sandbox waits for a shelf */
        bool resting;         /* a slot waits for leftovers of its last run in the kernel */
        int64_t next_rest_ms; /* when such slots are checked again */
        int64_t next_look_ms; /* for sandboxes that are overdue */
        struct tenant at[CHANNEL_MAX_SLOTS];
};

/* The subject of an epoll event: a kind, and the slot. */
enum source { SOURCE_CHANNEL, SOURCE_REPORT, SOURCE_PROCESS, SOURCE_INIT };

int serve_watch(struct serve *s, int fd, enum source source, uint32_t slot, struct err *e);
int serve_report(struct serve *s, const struct report *r, const int *fds, size_t n_fds, struct err *e);

/* serve_orders.c */
int serve_on_order(struct serve *s, const struct order *o, int fd, size_t n_fds, struct err *e);
int serve_make(struct serve *s, const struct order *o, int fd, struct err *e);
int serve_make_starved(struct serve *s, struct err *e);
int serve_make_rested(struct serve *s, struct err *e);

/* serve_ends.c */
int serve_let_go(struct serve *s, uint32_t slot, const struct report *farewell, struct err *e);
int serve_fail(struct serve *s, uint32_t slot, uint64_t id, const char *step, int error, struct err *e);
int serve_on_process(struct serve *s, uint32_t slot, struct err *e);
int serve_on_init(struct serve *s, uint32_t slot, struct err *e);
int serve_give_up_overdue(struct serve *s, struct err *e);
