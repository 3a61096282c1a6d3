/* The gateway's workers: processes that speak HTTP. Each worker has its own socket for each address. The supervisor
 * keeps these sockets open, so that a restarted worker finds its clients waiting. If a worker dies, only its own
 * exchanges are lost. The pool and the other workers go on.
 *
 * If a reload has changed a worker's settings, a new worker replaces it. If an earlier replaced worker is still
 * leaving, the replacement waits for its end. The old worker answers its open exchanges, and ends. */
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

/* All pointers are borrowed. The supervisor may change the configuration between calls, and calls workers_configure
 * before the change. */
struct workers_settings {
        const struct log *log;
        const struct config *config;
        const struct instance *instance;
        const int *directory; /* the directory of the pool's trusted socket */
};

struct worker {
        struct process process;
        int control; /* -1 while there is no process */
        int64_t started_ms;
        bool came_up;          /* the worker has sent a byte */
        unsigned silent_ticks; /* ticks since the worker's last byte */
        struct pace pace;
        bool outdated; /* the settings have changed since the worker was started */

        struct process leaving; /* the replaced worker, which answers its open exchanges */
        int64_t kill_at_ms;     /* when `leaving` is killed if it still lives */
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
        size_t n;        /* the number of workers; 0: there is no HTTP */
        int64_t tick_ms; /* when the next tick is due */
        bool draining;   /* nothing more is started */
};

void workers_init(struct workers *w, const struct workers_settings *settings);
void workers_fini(struct workers *w);

/* Binds all addresses of the configuration. If the default address is taken, a warning is logged. Any other address
 * must be free. */
int workers_open(struct workers *w, struct err *e);

/* Does a reload from `was` to `is` need other sockets? If so, the addresses change only at the next start. */
bool workers_need_restart(const struct config *was, const struct config *is);

/* The configuration changes from `was` to `is`, which have the same addresses. If the workers' command lines change,
 * the workers are replaced. */
void workers_configure(struct workers *w, const struct config *was, const struct config *is);

/* Prints " http://127.0.0.1:8060" for each address that is served. */
void workers_print(const struct workers *w, FILE *to);

/* Starts workers that are due, replaces outdated ones, and kills those that hang or should have ended. */
void workers_do_due(struct workers *w);

/* When workers_do_due must be called next, by the clock of clock_ms. INT64_MAX: never. */
int64_t workers_next_ms(const struct workers *w);

/* Handles the death of a process. False: the process was no worker. */
bool workers_died(struct workers *w, pid_t pid, int status);

/* Fills fds with the sockets to poll, at most CONFIG_MAX_WORKERS, and returns their number. After poll, workers_hear
 * takes fds. */
size_t workers_watch(const struct workers *w, struct pollfd *fds);
void workers_hear(struct workers *w, const struct pollfd *fds, size_t n);

/* True if each worker has come up, or has failed to. */
bool workers_were_tried(const struct workers *w);

/* Closes all listening sockets, and tells the workers to answer their open exchanges and to end. */
void workers_drain(struct workers *w);
bool workers_are_gone(const struct workers *w);
void workers_kill_all(const struct workers *w);
