/* The pool process: see pool.h for its place. This file has everything around the core and the front: start, readiness,
 * reload, drain, end, and talk with the supervisor. */
#include "pool/pool.h"

#include "pool/base/budget.h"
#include "pool/base/loop.h"
#include "pool/base/timer.h"
#include "pool/cache/cache.h"
#include "pool/config/config.h"
#include "pool/confine.h"
#include "pool/control.h"
#include "pool/core/core.h"
#include "pool/native/native.h"
#include "proto/base/clock.h"
#include "proto/base/cores.h"
#include "proto/base/log.h"
#include "proto/base/own.h"
#include "proto/confine/confine.h"
#include "proto/ipc/control.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
        AFTER_DRAIN_US = 2000000, /* for processes to die, and for clients to take their answers */
        TICK_US = 1000000,
};

struct pool {
        struct event_base *base;
        struct log log;
        struct config *config; /* NULL: not loaded yet */
        const char *config_name;
        int64_t started_us;
        unsigned cores;
        char instance[9]; /* random, so that names of sandboxes are never used again */

        struct control_socket *control;
        struct cache *cache;  /* the compile cache; NULL: there is none */
        struct budget memory; /* memory that clients make the pool hold */
        struct core *core;
        struct native *native;

        bool draining;      /* no new work */
        bool closing;       /* all work is done: answers leave, connections end */
        bool shutting_down; /* the time for draining is over, and remaining runs have been killed */
        struct timer drain_timer;
        struct timer tick;     /* every second */
        struct event progress; /* a run or a connection ended, which may complete a drain */
        int status;            /* the process's exit status */
};

/* Leaves the loop at once. */
static void stop(struct pool *p, int status)
{
        p->status = status;
        event_base_loopbreak(p->base);
}

/* ---------------------------------------------------------------- callbacks from the core and the front */

/* A run or a connection has ended. The loop handles it later, since the caller is in the middle of its work. */
static void on_end(void *arg)
{
        struct pool *p = arg;
        if (p->draining)
                event_active(&p->progress, EV_TIMEOUT, 1);
}

static void on_ready(void *arg)
{
        const struct pool *p = arg;
        log_info(&p->log, "ready after %lld ms", (long long)(clock_us() - p->started_us) / 1000);
        control_ready(p->control);
}

static int on_renew(void *arg, const char *language)
{
        const struct pool *p = arg;
        return control_renew(p->control, language);
}

static void on_serves(void *arg, const char *language, uint32_t generation)
{
        const struct pool *p = arg;
        control_serves(p->control, language, generation);
}

static void on_kill(void *arg, const char *language, uint32_t generation)
{
        const struct pool *p = arg;
        control_kill(p->control, language, generation);
}

static const struct core_ops core_ops = {
        .renew = on_renew,
        .serves = on_serves,
        .kill = on_kill,
        .ready = on_ready,
        .progress = on_end,
};

/* ---------------------------------------------------------------- draining */

static void arm_drain_timer(struct pool *p, int64_t us)
{
        if (timer_set(&p->drain_timer, us) < 0)
                log_error(&p->log, "a timer can't be set: the supervisor will have to end what does not end by itself");
}

/* All runs are answered: zygotes may end, answers are sent, connections end. */
static void begin_closing(struct pool *p)
{
        p->closing = true;
        core_close(p->core);
        native_close(p->native);
        arm_drain_timer(p, AFTER_DRAIN_US);
}

static void on_progress(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct pool *p = arg;

        if (!p->draining)
                return;
        if (!p->closing && core_running(p->core) == 0)
                begin_closing(p);
        if (p->closing && native_connections(p->native) == 0)
                stop(p, 0);
}

/* Three times run out in turn: first the time for runs to end, then for killed runs to die, then for answers to
 * leave. */
static void on_drain_timer(void *arg)
{
        struct pool *p = arg;

        if (p->closing) {
                stop(p, 0);
        } else if (!p->shutting_down) {
                log_warn(&p->log, "%u runs have outlasted the drain and are ended", core_running(p->core));
                p->shutting_down = true;
                core_shut_down(p->core);
                arm_drain_timer(p, AFTER_DRAIN_US);
        } else {
                log_error(&p->log, "%u runs could not be ended", core_running(p->core));
                begin_closing(p);
        }
}

static void on_notice(void *arg)
{
        const struct pool *p = arg;

        log_info(&p->log, "not ready any more: a drain will follow");
        core_leave(p->core);
}

static void on_drain(void *arg, int64_t us)
{
        struct pool *p = arg;

        if (p->draining)
                return;
        log_info(&p->log, "draining: %u runs to finish", core_running(p->core));
        p->draining = true; /* connections are still accepted, so that new clients get a clear refusal */
        core_drain(p->core);
        arm_drain_timer(p, us);
        on_end(p);
}

/* ---------------------------------------------------------------- the configuration */

/* Parses the configuration into fresh memory; NULL after an error. fd is borrowed. */
static struct config *load(int fd, const char *name, struct err *e)
{
        OWN_MEM char *text = NULL;
        OWN_MEM struct config *config = calloc(1, sizeof *config);

        if (!config)
                err_set(e, ENOMEM, "the configuration");
        if (!config || config_read_fd(fd, &text, e) < 0 || config_load(config, text, name, e) < 0)
                return NULL;
        return own_steal_ptr(&config);
}

static void unload(struct config *config)
{
        if (config)
                config_fini(config);
        free(config);
}

static void log_what_needs_a_restart(const struct pool *p, const struct config *was)
{
        const struct config *is = p->config;

        if (!config_list_same(was->listen, is->listen))
                log_warn(&p->log, "reload: listen has changed, which takes effect at the next start");
        if (strcmp(was->cache, is->cache) != 0)
                log_warn(&p->log, "reload: cache has changed, which takes effect at the next start");
        if (was->uid_base != is->uid_base)
                log_warn(&p->log, "reload: uid_base has changed, which takes effect at the next start");
}

static void on_reload(void *arg, int config_fd)
{
        struct pool *p = arg;
        struct config *was = p->config;
        struct err e = { 0 };

        struct config *is = load(config_fd, p->config_name, &e);
        if (!is || core_reload(p->core, was, is, &e) < 0) {
                log_error(&p->log, "reload: %s; the old configuration stays", e.text);
                unload(is);
                return;
        }
        p->config = is;
        log_what_needs_a_restart(p, was);
        native_reload(p->native, is);
        unload(was);
        p->log.level = is->log_level;
        p->memory.max = is->max_memory;
        if (p->cache)
                cache_bound(p->cache, is->cache_bytes);
        log_info(&p->log, "reloaded %s", p->config_name);
}

/* ---------------------------------------------------------------- callbacks from the supervisor's socket */

static void on_zygote(void *arg, struct span language, uint32_t generation, int channel)
{
        const struct pool *p = arg;
        core_adopt_zygote(p->core, language, generation, channel);
}

static void on_supervisor_lost(void *arg)
{
        stop(arg, 1);
}

static const struct control_ops control_ops = {
        .zygote = on_zygote,
        .notice = on_notice,
        .drain = on_drain,
        .reload = on_reload,
        .lost = on_supervisor_lost,
};

/* ---------------------------------------------------------------- the tick */

static void start_tick(struct pool *p)
{
        if (timer_set(&p->tick, TICK_US) < 0)
                log_error(&p->log, "a timer can't be set: the supervisor will think that this process hangs");
}

static void on_tick(void *arg)
{
        struct pool *p = arg;

        start_tick(p);
        control_alive(p->control);
        if (p->closing)
                return;
        native_tick(p->native);
        core_tick(p->core);
}

/* ---------------------------------------------------------------- start and end */

static void no_libevent_log(int severity, const char *message)
{
        (void)severity;
        (void)message; /* the code that sees the call fail reports it */
}

static int load_first(struct pool *p, struct err *e)
{
        OWN_FD int fd = POOL_FD_CONFIG;

        p->config = load(fd, p->config_name, e);
        if (!p->config)
                return -EINVAL;
        p->log.level = p->config->log_level;
        p->memory.max = p->config->max_memory;
        return 0;
}

static int name_instance(struct pool *p, struct err *e)
{
        uint32_t number;
        if (getrandom(&number, sizeof number, 0) != sizeof number)
                return err_set(e, errno, "random bytes");
        snprintf(p->instance, sizeof p->instance, "%08x", number);
        return 0;
}

static int make_base(struct pool *p, struct err *e)
{
        int r = loop_new(&p->base, e);
        if (r == 0 && (timer_init(&p->drain_timer, p->base, LOOP_LIMITS, on_drain_timer, p) < 0 ||
                       timer_init(&p->tick, p->base, LOOP_LIMITS, on_tick, p) < 0 ||
                       evtimer_assign(&p->progress, p->base, on_progress, p) < 0))
                r = err_say(e, EIO, "libevent can't be set up");
        return r;
}

static void open_cache(struct pool *p, bool has_cache)
{
        struct err e = { 0 };
        if (has_cache && cache_new(&p->cache, POOL_FD_CACHE, p->config->cache_bytes, &e) < 0)
                log_warn(&p->log, "there is no compile cache: %s", e.text);
}

static int make_core(struct pool *p, struct err *e)
{
        const struct core_options options = {
                .base = p->base,
                .log = &p->log,
                .config = p->config,
                .memory = &p->memory,
                .cache = p->cache,
                .cores = p->cores,
                .instance = p->instance,
                .ops = &core_ops,
                .owner = p,
        };
        return core_new(&p->core, &options, e);
}

static int make_front(struct pool *p, const struct pool_options *pool, struct err *e)
{
        const struct native_options options = {
                .base = p->base,
                .log = &p->log,
                .config = p->config,
                .memory = &p->memory,
                .core = p->core,
                .started_us = p->started_us,
                .trusted = pool->trusted,
                .n_trusted = pool->n_trusted,
                .progress = on_end,
                .owner = p,
        };
        return native_new(&p->native, &options, e);
}

static int prepare(struct pool *p, const struct pool_options *options, struct err *e)
{
        int r = load_first(p, e);
        if (r == 0)
                r = name_instance(p, e);
        if (r == 0)
                r = make_base(p, e);
        if (r < 0)
                return r;
        open_cache(p, options->has_cache);
        r = make_core(p, e);
        if (r == 0)
                r = make_front(p, options, e);
        if (r == 0)
                r = control_new(&p->control, p->base, &p->log, &control_ops, p, POOL_FD_CONTROL, e);
        if (r == 0)
                r = native_listen(p->native, POOL_FD_FIRST_LISTENER, options->n_listeners, e);
        if (r == 0 && timer_set(&p->tick, TICK_US) < 0)
                r = err_say(e, EIO, "a timer");
        return r;
}

static void pool_free(struct pool *p)
{
        if (!p)
                return;
        p->draining = false; /* on_end has nothing to announce any more */
        native_free(p->native);
        core_free(p->core);
        control_free(p->control);
        cache_free(p->cache);
        timer_stop(&p->drain_timer);
        timer_stop(&p->tick);
        if (p->base) {
                if (event_initialized(&p->progress))
                        event_del(&p->progress);
                event_base_free(p->base);
        }
        unload(p->config);
        free(p);
}

static struct pool *pool_new(const struct pool_options *options)
{
        struct pool *p = calloc(1, sizeof *p);
        if (!p)
                return NULL;
        p->log = (struct log){ .who = "pool", .level = LOG_LEVEL_INFO };
        p->config_name = options->config_name;
        p->started_us = clock_us();
        p->cores = cores();
        return p;
}

/* The supervisor alone decides when the pool ends, by the control socket. A terminal's ^C and an init system's SIGTERM
 * reach all processes at once, and must not tear running work. */
static void ignore_signals(void)
{
        static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
        for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
                signal(ignored[i], SIG_IGN);
}

/* An answer of a MiB passes through memory twice. libc would give that memory back to the kernel each time. Getting it
 * again costs a page fault for each 4 KiB, which is more than all other work on the answer. */
static void keep_memory(void)
{
        enum { SERVED_FROM_HEAP = 4 << 20, KEPT_FREE = 16 << 20 };
        mallopt(M_MMAP_THRESHOLD, SERVED_FROM_HEAP);
        mallopt(M_TRIM_THRESHOLD, KEPT_FREE);
}

int pool_main(const struct pool_options *options)
{
        keep_memory();
        struct err e = { 0 };
        struct pool *p = pool_new(options);
        if (!p)
                return 1;

        const int cache = options->has_cache ? POOL_FD_CACHE : -1;
        if (cache < 0)
                close(POOL_FD_CACHE); /* a second descriptor of the configuration, in place of the cache's */
        ignore_signals();
        event_set_log_callback(no_libevent_log);
        int r = confine_forget(POOL_FD_FIRST_LISTENER + options->n_listeners, &e);
        if (r == 0)
                r = confine_drop(options->uid, cache, &e);
        if (r == 0)
                r = prepare(p, options, &e);
        if (r == 0)
                r = confine_pool_calls(cache, &e);
        if (r == 0) {
                r = event_base_dispatch(p->base) == 0 ? -p->status : -EIO;
                if (r == -EIO)
                        log_error(&p->log, "libevent's loop has ended by itself");
        } else {
                log_error(&p->log, "%s", e.text);
        }
        pool_free(p);
        return r == 0 ? 0 : 1;
}
