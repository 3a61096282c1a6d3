/* The packets that pass between supervisor and pool over a SOCK_SEQPACKET pair, each of fixed size. Even a hostile pool
 * can only make zygotes end and start. End of file means that the other process is dead. */
#pragma once

#include <stdint.h>

enum control_kind {
        CONTROL_ZYGOTE = 1, /* to the pool, with one descriptor: the channel of a new zygote for language. The pool
                             * does not ask for the first zygote */
        CONTROL_NOTICE,     /* to the pool: a drain will follow; from now on the server is not ready */
        CONTROL_DRAIN,      /* to the pool: take no new work, finish what runs, then exit */
        CONTROL_RELOAD,     /* to the pool, with one descriptor: the new configuration's text */
        CONTROL_READY,      /* from the pool, once: every language has had its least number of warm sandboxes */
        CONTROL_ALIVE,      /* from the pool, every second: the pool does not hang */
        CONTROL_RENEW,      /* from the pool: start another zygote for language; CONTROL_ZYGOTE is the answer */
        CONTROL_SERVES,     /* from the pool: this zygote of language has come up */
        CONTROL_KILL,       /* from the pool: this zygote of language has ended, hangs, or misbehaves */
};

struct control {
        uint32_t kind;
        uint32_t generation; /* the zygote's number within the language: ZYGOTE, SERVES, KILL */
        uint32_t ms;         /* DRAIN: the time that runs have to finish */
        char language[32];   /* ZYGOTE, RENEW, SERVES, KILL; ends with a NUL */
};

/* Descriptors that the pool is started with. */
enum pool_fd {
        POOL_FD_CONTROL = 3,
        POOL_FD_CONFIG = 4,         /* the configuration's text */
        POOL_FD_CACHE = 5,          /* the directory of the compile cache; not used without a cache */
        POOL_FD_FIRST_LISTENER = 6, /* bound and listening, as many as --listeners says */
};
