/* The processes that the supervisor keeps running: the pool, and the zygotes of each language. A language has two
 * sides, each with its own cgroups and host uids, so that one zygote can come up while another still serves or dies.
 *
 * Life and death: a zygote ends at the end of file of its channel to the pool. The parent's death signal ends the pool
 * and the zygotes when the supervisor dies. An init ends with its zygote, in the same two ways. So a dying process
 * takes down the processes that depend on it, and the keeper starts the missing ones. */
#pragma once

#include "hatcheryd/instance.h"
#include "hatcheryd/listen.h"
#include "hatcheryd/pace.h"
#include "hatcheryd/process.h"
#include "pool/config/config.h"
#include "proto/base/log.h"
#include "proto/ipc/control.h"
#include "proto/wire/wire.h"
#include "zygote/host/cgroup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        KEEPER_SIDES = INSTANCE_SIDES,
        KEEPER_MAX_LANGUAGES = INSTANCE_LANGUAGES,
};

/* The settings that processes are started with; borrowed. The supervisor may change them between calls, and then calls
 * keeper_configure. */
struct keeper_settings {
        const char *program_directory;
        const char *faults; /* or NULL */
        const struct log *log;
        const struct config *config;
        int config_fd;
        const struct instance *instance;
        const struct cgroup_tree *cgroups;
        const char *disk; /* see usr_disk_find; "": no disk whose reads can be limited */
        const struct listen_socket *listeners;
        size_t n_listeners;
        const struct trusted_listener *trusted; /* the listeners that serve the gateway */
        size_t n_trusted;
        int cache_fd; /* the directory of the compile cache; -1: there is none */
};

struct kept {
        struct process process;
        uint32_t generation; /* of a zygote: the number by which the pool knows it */
        int64_t started_ms;
        int64_t kill_at_ms; /* when a process that still lives is killed; 0: never */
        bool came_up;

        /* For a dead zygote, until its cgroups are gone. */
        bool unclean;
        int64_t sweep_at_ms; /* the next attempt to remove them */
        int64_t sweep_by_ms; /* after that time the log has a warning; 0: the warning was written */
};

/* A language that is configured, or that was configured and still has processes. It keeps its place, and with it its
 * host uids, for life. The place becomes free when nothing is left of the language. */
struct kept_language {
        char name[WIRE_MAX_LANGUAGE + 1]; /* "": the place is free */
        bool leaving;                     /* it is no longer configured */
        struct kept side[KEEPER_SIDES];
        struct pace pace;
        uint32_t generation;    /* the last number given */
        bool wanted;            /* another zygote is to be started */
        unsigned failed_starts; /* deaths, in a row, of zygotes that never served */
};

struct keeper {
        const struct keeper_settings *settings;
        struct kept pool;
        struct pace pool_pace;
        int64_t tick_ms;      /* when the next tick is due */
        unsigned pool_silent; /* the number of ticks without a word of the pool */
        int control;          /* the socket to the pool; -1 while there is no pool */
        struct kept_language languages[KEEPER_MAX_LANGUAGES];
        bool unplaced;       /* a language waits for a free place */
        uint32_t generation; /* the highest number of any language that is gone: numbers of zygotes are not used
                              * again */
        unsigned failed_pools;
        bool ready;    /* every language that can come up has had its warm sandboxes */
        bool stopping; /* nothing more is started */
};

void keeper_init(struct keeper *k, const struct keeper_settings *settings);
void keeper_fini(struct keeper *k);

/* Applies new or changed settings: languages come and go. */
void keeper_configure(struct keeper *k);

/* True if no language can come up. */
bool keeper_is_hopeless(const struct keeper *k);

/* Starts processes that are due, and kills processes that should have ended or that hang. */
void keeper_do_due(struct keeper *k);

/* Milliseconds until something is due, -1 for never. */
int keeper_timeout(const struct keeper *k);

/* Handles the death of a process. pid may be an orphan, which is ignored: the init of a killed zygote, whose subreaper
 * is this process. */
void keeper_died(struct keeper *k, pid_t pid, int status);

/* The control socket is readable. */
void keeper_hear(struct keeper *k);

/* Sends a packet to the pool, with a borrowed descriptor or -1. Negative: no pool takes it. */
int keeper_tell(struct keeper *k, const struct control *c, int fd, struct err *e);

bool keeper_pool_runs(const struct keeper *k);
bool keeper_is_empty(const struct keeper *k);
void keeper_kill_all(const struct keeper *k);
