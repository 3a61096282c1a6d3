/* The command lines and descriptors of the roles that the supervisor starts. hatcheryd/main.c parses them. */
#pragma once

#include "hatcheryd/listen.h"
#include "hatcheryd/process.h"
#include "pool/base/trusted.h"
#include "pool/config/config.h"
#include "proto/base/err.h"
#include "zygote/host/cgroup.h"
#include "zygote/zygote.h"

#include <stddef.h>
#include <stdint.h>

/* A descriptor of a zygote, besides those that zygote/zygote.h names. If the language is data, the descriptor holds the
 * section of the language's runtime, see config_runtime_text. */
enum { ROLE_FD_RUNTIME = 4 };

enum { ROLE_MAX_LISTENERS = 33, /* the trusted one included */ ROLE_MAX_PRELOAD = 256 };

/* A copy of this program in memory, from which an unprivileged process runs. The caller owns the descriptor. */
int role_own_program(struct err *e);

/* A pair of sockets for packets; the caller owns both. */
int role_make_pair(int *ours, int *theirs, struct err *e);

struct role_pool {
        uint32_t uid;
        int config_fd; /* all pointers and descriptors here are borrowed */
        const struct listen_socket *listeners;
        size_t n_listeners;                     /* at most ROLE_MAX_LISTENERS */
        const struct trusted_listener *trusted; /* the listeners that serve a gateway */
        size_t n_trusted;                       /* at most TRUSTED_MAX */
        int cache_fd;                           /* -1: none */
};

/* *control becomes the supervisor's end of the control socket, owned by the caller. */
int role_start_pool(struct process *p, const struct role_pool *role, int *control, struct err *e);

struct role_zygote {
        const struct config_language *language;
        const char *plugin; /* NULL where the language is data */
        const char *init;
        const char *files; /* Hatchery's own language files; NULL for a plug-in */
        const char *cache;
        const char *faults; /* or NULL */
        const char *group;  /* the prefix of the names of the zygote's cgroups */
        uint32_t uid_base;
        uint32_t inodes;
        const char *disk;   /* the disk of /usr, see usr_disk_find; "": no disk whose reads can be limited */
        uint64_t disk_read; /* bytes that a sandbox may read from that disk in a second; 0: no limit */
        enum log_level log_level;
        const struct cgroup_tree *cgroups;
};

/* channel becomes the pool's end of the zygote's channel, owned by the caller. A zygote gets only the parts of the
 * configuration that it needs, because a program may find a way to read the zygote's memory. */
int role_start_zygote(struct process *p, const struct role_zygote *role, int *channel, struct err *e);

/* In the zygote: reads the runtime from ROLE_FD_RUNTIME, and closes that descriptor. *config gets this runtime only.
 * The caller releases *config. */
int role_read_runtime(struct config *config, struct err *e);

/* Fills c with the runtime r in the form that zygotes use; borrows from r. */
void role_command(struct lang_command *c, const struct config_runtime *r);
