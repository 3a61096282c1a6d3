/* The configuration: tables of settings (key, unit, default, bounds) that are read with libconfuse, and the struct that
 * they fill. The struct does not change once it is loaded.
 *
 * There are three sorts of text: the operator's main file, one file for each language that is data, and the merged
 * text. Only the supervisor reads the files. It finds out what is installed, and makes the merged text: the main file,
 * the runtimes, and the absent languages. Supervisor and pool both load the merged text, so both have the same
 * configuration. */
#pragma once

#include "proto/base/err.h"
#include "proto/base/limit.h"
#include "proto/base/log.h"
#include "proto/ipc/kind.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The default places. */
#define CONFIG_PACKAGES "/var/lib/hatchery/packages"
#define CONFIG_CACHE    "/var/cache/hatchery"

/* Where HTTP is listened on by default. */
#define CONFIG_HTTP_LISTEN "127.0.0.1:8060"

#define CONFIG_MAX_UID_BASE 4000000000 /* too large for an int, so it is no enumerator */

enum {
        CONFIG_MAX_LANGUAGES = 63,
        CONFIG_MAX_RUNTIMES = 256,
        CONFIG_MAX_HTTP = 16,        /* sections http */
        CONFIG_MAX_HTTP_LISTEN = 32, /* addresses of all sections http together */
        CONFIG_HTTP_WORDS = 32,      /* words of one list in a section http */
        CONFIG_HTTP_WORD = 128,      /* bytes of such a word, NUL included */
        CONFIG_MAX_WORKERS = 64,     /* of the gateway */
        CONFIG_MAX_TEXT = 4 << 20,   /* bytes */
};

/* A language that is data: the contents of its file. Lists end with NULL, and are NULL if they are not given.
 * docs/languages.md explains the keys, and lang/command.h explains the command lines. */
struct config_runtime {
        char *name;
        enum kind kind;
        char *aliases; /* separated by spaces; "" for none */
        char *main_file;
        char *package;     /* Debian packages that bring it, separated by spaces; "" for none */
        char **extensions; /* without the dot */
        char **needs;      /* absolute paths: if one of them does not exist, the language is absent */
        char **reads;      /* files that the compiler reads, as paths or patterns: see identity */
        char **version;
        char **compile;
        char **compile_flags; /* forms of flags that requests may add (pool/config/flags.h) */
        char **artifacts;
        char **run;
        char **warm;
        char **fresh;  /* of prestarted languages: replaces run for requests with words for the interpreter */
        char **prompt; /* starts the language's own prompt, for a terminal without a program */
        char **prepare;
        char **paths; /* directories of the host that sandboxes see besides /usr */
        char **links; /* symbolic links in sandboxes, "/NAME=TARGET" */
        char **env;   /* name=value */
        char **extra_calls;
        char *identity; /* of the compiler and its files: see hatcheryd/identity.h; "" or NULL: not needed */
        int line;       /* the last line of its section */
        bool echoes;    /* of prestarted languages: warm obeys echo_last_expression */
        int64_t standard[LIMIT_COUNT]; /* default of each limit; never above its ceiling */
        int64_t ceiling[LIMIT_COUNT];
        int64_t compile_standard[LIMIT_COUNT]; /* the same for the compile step */
        int64_t compile_ceiling[LIMIT_COUNT];
};

/* A language to be served: a runtime, and its settings. */
struct config_language {
        char *name;
        char *runtime;                     /* name of a file, or of a plug-in: hatchery-lang-RUNTIME.so */
        const struct config_runtime *data; /* the runtime, in the same configuration; NULL: a plug-in */
        char *packages;                    /* directory of third-party packages, which need not exist */
        unsigned warm;     /* key of the text: sets warm_min and warm_max; 0: each of them has its own value */
        unsigned warm_min; /* least number kept waiting; its default is standard_warm() of config_language.c */
        unsigned warm_max; /* by default equal to running, or less if there is no room for more; at least warm_min */
        unsigned running;  /* highest number of runs at one time; 0 in the text: 8 x cores, at least 16 */
        uint64_t generation_forks; /* number of sandboxes after which another zygote takes over; 0: no such bound */
        int64_t generation_us;     /* time after which another zygote takes over; 0: no such bound */
        bool required;             /* the server is not ready for a load balancer without this language */
        char **preload;            /* modules that the zygote imports before it forks */
        size_t n_preload;
        int64_t standard[LIMIT_COUNT]; /* default of each limit; never above its ceiling */
        int64_t ceiling[LIMIT_COUNT];
        int64_t compile_standard[LIMIT_COUNT]; /* the same for the compile step */
        int64_t compile_ceiling[LIMIT_COUNT];
};

/* The name of a language that can't be served, and the sentence for requests that use this name. */
struct config_absent {
        char *name;
        char *aliases; /* separated by spaces; "" for none */
        char *reason;
        bool broken;     /* the language is installed, but can't be served as its file says */
        bool configured; /* a section `language` names it */
        bool required;   /* ... and does not say that it is optional */
};

/* A section http: addresses of the gateway, and what is served there. Lists end with NULL, and are NULL if they are
 * empty. */
struct config_http {
        char **listen;    /* "HOST:PORT"; NULL: the section is off */
        char **contracts; /* some of "v1", "snekbox", "piston", "sandboxfusion", "metrics", "health" */
        char **hosts;     /* further names that requests may use for this server */
        char **origins;   /* origins whose web pages may use this server: "https://example.org" */
        int line;         /* the last line of the section; 0: the default section */
};

struct config {
        char **listen; /* "HOST:PORT" or "unix:PATH" */
        size_t n_listen;
        enum log_level log_level;

        uint32_t max_request_bytes; /* of one message, unpacked */
        uint32_t max_answer_bytes;
        uint32_t max_connections;
        uint32_t max_in_flight;    /* requests of one connection that have no answer yet */
        uint32_t caller_in_flight; /* the same for one caller on trusted connections, all of them together */
        uint32_t max_queue;        /* requests that wait for a sandbox, all clients together */
        uint64_t max_queue_bytes;  /* memory that these waiting requests hold */
        uint64_t max_memory;       /* memory that all clients together make the pool hold */
        uint64_t warm_memory;      /* memory that the warm sandboxes of all languages may take together */
        int64_t warm_half_life_us; /* time in which half of the unneeded warm sandboxes are given up */
        uint32_t client_share;     /* percent of a language's runs that one client may have at one time */
        uint32_t client_running;   /* runs of all languages together that one client may have; 0: as client_share
                                    * says */
        int64_t frame_timeout_us;  /* a frame that has begun must be whole by then */
        int64_t write_timeout_us;  /* a client must take some of its waiting answers by then */
        uint64_t max_unsent_bytes; /* answers that one client has not taken yet */
        int64_t drain_us;          /* time that runs may take to finish after SIGTERM */
        int64_t drain_notice_us;   /* time before the drain: the server is not ready, but takes requests */

        struct config_http *http;
        size_t n_http;
        bool has_http;            /* the text has a section http; else http is the default section */
        uint32_t gateway_workers; /* processes; 0: one for each two cores, at least one */
        uint64_t gateway_memory;  /* bytes that the requests of one such process may take together */

        uint32_t collect_max_files;
        uint64_t collect_max_bytes;
        int64_t collect_us;

        uint32_t uid_base;  /* first of the host uids and gids that sandboxes and the pool use */
        uint32_t inodes;    /* files and directories in one sandbox */
        uint64_t disk_read; /* bytes per second that one sandbox may read from the disk of /usr; 0: no limit */

        char **language_files; /* directories with more files of languages; ends with NULL */
        char *packages;        /* directory with one directory of packages for each language */
        char *cache;           /* directory of compiled programs */
        int cache_line;        /* the line of the text that sets cache; 0: no line does */
        uint64_t cache_bytes;

        struct config_runtime *runtimes;
        size_t n_runtimes;
        struct config_language *languages;
        size_t n_languages;
        struct config_absent *absent; /* from a merged text: absent runtimes, then languages that need them */
        size_t n_absent;
        size_t n_refused; /* number of configured languages whose runtime is broken */
};

/* The text of the built-in configuration: hatcheryd uses it if it is given no other. */
extern const char config_builtin[];

/* Parses a merged text. Errors have the text's name and the line. A language whose runtime is absent is left out of
 * c->languages. c is filled on success only, and then released by config_fini. */
int config_load(struct config *c, const char *text, const char *name, struct err *e);

/* Parses a main file as far as possible without the files of languages. The caller needs its directories, and the names
 * of its languages. Limits of languages are not yet compared with their ceilings. */
int config_load_main(struct config *c, const char *text, const char *name, struct err *e);

/* Parses the file of one language. The language's name must be stem, the file's name without ".conf". r is filled on
 * success only, and then released by config_runtime_fini. */
int config_load_runtime(struct config_runtime *r, const char *text, const char *name, const char *stem, struct err *e);
int config_runtime_copy(struct config_runtime *to, const struct config_runtime *from, struct err *e);
void config_runtime_fini(struct config_runtime *r);

/* True if a zygote is started in the same way with either runtime. */
bool config_runtime_same(const struct config_runtime *a, const struct config_runtime *b);

/* The section of a runtime, of a runtime's identity, or of an absent language, as text that config_load takes. The
 * caller frees the text. NULL: out of memory. */
char *config_runtime_text(const struct config_runtime *r);
char *config_identity_text(const struct config_runtime *r);
char *config_absent_text(const struct config_absent *a);

/* True if both lists hold the same words in the same order. NULL is an empty list. */
bool config_list_same(char *const *a, char *const *b);

const struct config_runtime *config_find_runtime(const struct config *c, const char *name);
const struct config_language *config_find_language(const struct config *c, const char *name);

/* Reads a file, or an already open descriptor from its start, into fresh text that the caller frees. */
int config_read_file(const char *path, char **text, struct err *e);
int config_read_fd(int fd, char **text, struct err *e);

/* The highest value of each limit for a run of this language, in either of its steps. */
void config_most(const struct config_language *l, int64_t most[LIMIT_COUNT]);

void config_fini(struct config *c);
