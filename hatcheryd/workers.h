/* The gateway's workers: processes that speak HTTP. Each has its own socket for each address, which the supervisor
 * keeps, so that a restarted worker finds its clients waiting. A worker that dies takes its own exchanges with it, and
 * nothing else: neither the pool nor the other workers notice.
 *
 * A worker whose settings a reload has changed is followed by another one at once. It answers what it has begun, and
 * leaves. */
#pragma once

#include "hatcheryd/instance.h"
#include "hatcheryd/listen.h"
#include "hatcheryd/pace.h"
#include "hatcheryd/process.h"
#include "pool/config/config.h"
#include "proto/base/err.h"
#include "proto/base/log.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Borrowed. The supervisor may change the configuration between calls, and calls workers_configure before. */
struct workers_settings {
        const struct log *log;
        const struct config *config;
        const struct instance *instance;
        const int *directory; /* that of the pool's trusted socket */
};

struct worker {
        struct process process;
        int control; /* -1 while there is no process */
        int64_t started_ms;
        bool came_up;          /* it has said that it lives */
        unsigned silent_ticks; /* since it said so */
        struct pace pace;
        bool outdated; /* its settings have changed since it was started */

        struct process leaving; /* the one before, which answers what it has begun */
        int64_t kill_at_ms;     /* if that one has not ended by then */
};

/* One address, in the order of the configuration. */
struct workers_listener {
        char name[LISTEN_NAME_SIZE]; /* with the real port */
        int fds[CONFIG_MAX_WORKERS]; /* one for each worker; owned; -1: the address was taken, and is not served */
};

struct workers {
        const struct workers_settings *settings;
        struct workers_listener *listeners; /* owned */
        size_t n_listeners;
        struct worker at[CONFIG_MAX_WORKERS];
        size_t n;        /* 0: there is no HTTP */
        int64_t tick_ms; /* when the next tick is due */
        bool draining;   /* nothing more is started */
};

void workers_init(struct workers *w, const struct workers_settings *settings);
void workers_fini(struct workers *w);

/* Binds all addresses of the configuration. The default address may be taken, which is logged; any other must be free.
 */
int workers_open(struct workers *w, struct err *e);

/* Does a reload from one to the other need other sockets? Then it takes effect at the next start only. */
bool workers_need_restart(const struct config *was, const struct config *is);

/* The configuration changes from one to the other, which has the same addresses: workers that would be started with
 * other words are replaced. */
void workers_configure(struct workers *w, const struct config *was, const struct config *is);

/* " http://127.0.0.1:8060" for each address that is served. */
void workers_print(const struct workers *w, FILE *to);

/* Starts workers that are due, and kills those that hang or should have ended. */
void workers_do_due(struct workers *w);

/* On the clock of clock_ms: when something is due next; INT64_MAX: never. */
int64_t workers_next_ms(const struct workers *w);

/* Takes note of a death; false: it was no worker's. */
bool workers_died(struct workers *w, pid_t pid, int status);

/* The sockets to be polled: fills up to CONFIG_MAX_WORKERS, and returns their number. workers_hear takes them back. */
size_t workers_watch(const struct workers *w, struct pollfd *fds);
void workers_hear(struct workers *w, const struct pollfd *fds, size_t n);

/* True if each worker has come up, or has failed to. */
bool workers_were_tried(const struct workers *w);

/* Closes all listening sockets, and tells the workers to answer what they have begun, and to end. */
void workers_drain(struct workers *w);
bool workers_are_gone(const struct workers *w);
void workers_kill_all(const struct workers *w);
