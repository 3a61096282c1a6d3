/* The configuration: one table of settings (key, type, default, help) read with libconfuse, and the struct it fills,
 * constant once loaded. The supervisor loads it and hands the same text to the pool, so both see one configuration. */
#pragma once

#include "proto/err.h"
#include "proto/limit.h"
#include "proto/log.h"

#include <stddef.h>
#include <stdint.h>

enum { CONFIG_MAX_LANGUAGES = 64 };

struct config_language {
        char *name;
        unsigned warm;     /* in the text: both of the following; 0: they are what they say */
        unsigned warm_min; /* sandboxes kept waiting; not in the text: 2 x cores, at least 4, at most warm_max */
        unsigned warm_max; /* not in the text: as running, or what there is room for, at least warm_min */
        unsigned running;  /* runs at one time; 0 in the text: 8 x cores, at least 16 */
        uint64_t generation_forks; /* after so many sandboxes another zygote takes over; 0: never for that */
        int64_t generation_us;     /* and after so long */
        char **preload;            /* modules that the zygote imports before it forks */
        size_t n_preload;
        int64_t standard[LIMIT_COUNT]; /* default of each limit; never above its ceiling */
        int64_t ceiling[LIMIT_COUNT];
};

struct config {
        char **listen; /* "HOST:PORT" or "unix:PATH" */
        size_t n_listen;
        enum log_level log_level;

        uint32_t max_request_bytes; /* of one message, unpacked */
        uint32_t max_answer_bytes;
        uint32_t max_connections;
        uint32_t max_in_flight;    /* requests of one connection that have no answer yet */
        uint32_t max_queue;        /* requests that wait for a sandbox, all clients together */
        uint64_t max_queue_bytes;  /* of memory that they hold */
        uint64_t max_memory;       /* that all clients together make the pool hold */
        uint64_t warm_memory;      /* that the warm sandboxes of all languages may take together */
        int64_t warm_half_life_us; /* in which half of what demand does not need any more is given up */
        uint32_t client_share;     /* percent of a language's runs that one client may have at one time */
        int64_t frame_timeout_us;  /* a frame that has begun must be whole by then */
        int64_t write_timeout_us;  /* a client must take some of its waiting answers by then */
        uint64_t max_unsent_bytes; /* answers that one client has not taken yet */
        int64_t drain_us;          /* after SIGTERM: what runs may finish, up to this long */

        uint32_t collect_max_files;
        uint64_t collect_max_bytes;
        int64_t collect_us;

        uint32_t uid_base; /* first of the host uids and gids that sandboxes and the pool use */
        uint32_t inodes;   /* files and directories in one sandbox */

        struct config_language *languages;
        size_t n_languages;
};

/* The text of the built-in configuration: what hatcheryd runs with when it is given none. */
extern const char config_builtin[];

/* Parses text; name is what the sentence of an error calls it, with the line. c is filled on success only, and then
 * released by config_fini. */
int config_load(struct config *c, const char *text, const char *name, struct err *e);

/* Reads a file, or an already open descriptor from its start, into fresh text that the caller frees. */
int config_read_file(const char *path, char **text, struct err *e);
int config_read_fd(int fd, char **text, struct err *e);

void config_fini(struct config *c);
