/* The processes that the supervisor keeps running: the pool, and the zygotes of each language. A language has two
 * sides, each with its own cgroups and host uids, so that one zygote can come up while another still serves or dies.
 *
 * Life and death: the zygotes hang on the pool by their channels (end of file ends them), pool and zygotes hang on the
 * supervisor by the parent's death signal, inits hang on their zygote by both. So whatever dies takes down what depends
 * on it, and what is missing is started here. */
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

/* What processes are started with; borrowed. The supervisor may change it between calls, and says so by
 * keeper_configure. */
struct keeper_settings {
        const char *program_directory;
        const char *faults; /* or NULL */
        const struct log *log;
        const struct config *config;
        int config_fd;
        const struct instance *instance;
        const struct cgroup_tree *cgroups;
        const char *disk; /* see usr_disk_find; "": none whose reads can be limited */
        const struct listen_socket *listeners;
        size_t n_listeners;
        int cache_fd; /* the directory of the compile cache; -1: there is none */
};

struct kept {
        struct process process;
        uint32_t generation; /* of a zygote: the name that it is known by to the pool */
        int64_t started_ms;
        int64_t kill_at_ms; /* it should have ended by then; 0: it is to live */
        bool came_up;

        /* Of a zygote that is dead, until its cgroups are gone. */
        bool unclean;
        int64_t sweep_at_ms; /* when to try */
        int64_t sweep_by_ms; /* later than that something is wrong; 0: it was said */
};

/* One that is configured, or was and still has processes. Its place, and with it its host uids, is its own for life,
 * and becomes free when nothing is left of it. */
struct kept_language {
        char name[WIRE_MAX_LANGUAGE + 1]; /* "": the place is free */
        bool leaving;                     /* it is configured no more */
        struct kept side[KEEPER_SIDES];
        struct pace pace;
        uint32_t generation;    /* the last one given */
        bool wanted;            /* another zygote is to be started */
        unsigned failed_starts; /* deaths of zygotes that never served, in a row */
};

struct keeper {
        const struct keeper_settings *settings;
        struct kept pool;
        struct pace pool_pace;
        int64_t tick_ms;      /* the next one */
        unsigned pool_silent; /* for how many ticks */
        int control;          /* to the pool; -1 while there is none */
        struct kept_language languages[KEEPER_MAX_LANGUAGES];
        bool unplaced;       /* a language waits for a place */
        uint32_t generation; /* the highest of a language that is gone: names of zygotes are not used again */
        unsigned failed_pools;
        bool ready;    /* every language that comes up has had its warm sandboxes */
        bool stopping; /* nothing is started any more */
};

void keeper_init(struct keeper *k, const struct keeper_settings *settings);
void keeper_fini(struct keeper *k);

/* The settings have changed, or are new: languages come and go. */
void keeper_configure(struct keeper *k);

/* There is no language that could come up. */
bool keeper_is_hopeless(const struct keeper *k);

/* Starts what is due, and kills what should have ended or hangs. */
void keeper_do_due(struct keeper *k);

/* Milliseconds until something is due, -1 for never. */
int keeper_timeout(const struct keeper *k);

/* Takes note of all deaths: of what is kept, and of what came to this process as the subreaper of its descendants (the
 * inits of a zygote that was killed). */
void keeper_reap(struct keeper *k);

/* The control socket is readable. */
void keeper_hear(struct keeper *k);

/* A packet for the pool, with a borrowed descriptor or -1. Negative: there is no pool that takes it. */
int keeper_tell(struct keeper *k, const struct control *c, int fd, struct err *e);

bool keeper_pool_runs(const struct keeper *k);
bool keeper_is_empty(const struct keeper *k);
void keeper_kill_all(const struct keeper *k);
