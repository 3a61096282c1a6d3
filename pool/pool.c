/* The pool process: see pool.h for its place, state.h for what it holds. Start, readiness, reload, drain and end. */
#include "pool/pool.h"

#include "pool/base/loop.h"
#include "pool/cache/cache.h"
#include "pool/confine.h"
#include "pool/control.h"
#include "pool/native/connection.h"
#include "pool/native/listener.h"
#include "pool/sched/registry.h"
#include "pool/state.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"

#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
        AFTER_DRAIN_US = 2000000, /* for the dying, and for clients to take their answers */
};

/* ---------------------------------------------------------------- what modules tell */

void pool_stop(struct pool *p, int status)
{
        p->status = status;
        event_base_loopbreak(p->base);
}

void pool_language_ready(struct pool *p)
{
        if (p->was_ready || !languages_have_come_up(p))
                return;
        p->was_ready = true;
        log_info(&p->log, "ready after %lld ms", (long long)(clock_us() - p->started_us) / 1000);
        control_ready(p->control);
}

void pool_progress(struct pool *p)
{
        /* By way of the loop: who calls this is in the middle of something. */
        if (p->draining)
                event_active(&p->progress, EV_TIMEOUT, 1);
}

/* ---------------------------------------------------------------- draining */

static void arm_drain_timer(struct pool *p, int64_t us)
{
        struct timeval delay = clock_delay(us);
        if (event_add(&p->drain_timer, &delay) < 0)
                log_error(&p->log, "a timer can't be set: the supervisor will have to end what does not end by itself");
}

/* All runs are answered: zygotes may go, answers leave, connections end. */
static void begin_closing(struct pool *p)
{
        struct session *s, *next;

        p->closing = true;
        for (size_t i = 0; i < p->n_listeners; i++)
                listener_fini(&p->listeners[i]);
        languages_drain(p);
        for (s = LIST_FIRST(&p->sessions); s; s = next) {
                next = LIST_NEXT(s, link);
                session_end(s);
        }
        arm_drain_timer(p, AFTER_DRAIN_US);
}

static void on_progress(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct pool *p = arg;

        if (!p->draining)
                return;
        if (!p->closing && p->n_runs == 0)
                begin_closing(p);
        if (p->closing && p->n_sessions == 0)
                pool_stop(p, 0);
}

static void shut_down_runs(struct pool *p)
{
        struct session *s;
        LIST_FOREACH(s, &p->sessions, link)
        {
                struct run *r = LIST_FIRST(&s->runs), *next;
                for (; r; r = next) {
                        next = LIST_NEXT(r, of_session);
                        run_shut_down(r);
                }
        }
}

/* First the time for runs is over, then that for their deaths, then that for answers to leave. */
static void on_drain_timer(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct pool *p = arg;

        if (p->closing) {
                pool_stop(p, 0);
        } else if (!p->shutting_down) {
                log_warn(&p->log, "%u runs have outlasted the drain and are ended", p->n_runs);
                p->shutting_down = true;
                shut_down_runs(p);
                arm_drain_timer(p, AFTER_DRAIN_US);
        } else {
                log_error(&p->log, "%u runs could not be ended", p->n_runs);
                begin_closing(p);
        }
}

void pool_drain(struct pool *p)
{
        if (p->draining)
                return;
        log_info(&p->log, "draining: %u runs to finish", p->n_runs);
        p->draining = true; /* connections are still taken, so that whoever comes is told */
        arm_drain_timer(p, p->config.drain_us);
        pool_progress(p);
}

/* ---------------------------------------------------------------- reloading */

static void log_what_needs_a_restart(const struct pool *p, const struct config *was)
{
        const struct config *is = &p->config;

        if (!config_list_same(was->listen, is->listen))
                log_warn(&p->log, "reload: listen has changed, which takes effect at the next start");
        if (strcmp(was->cache, is->cache) != 0)
                log_warn(&p->log, "reload: cache has changed, which takes effect at the next start");
        if (was->uid_base != is->uid_base)
                log_warn(&p->log, "reload: uid_base has changed, which takes effect at the next start");
}

void pool_reload(struct pool *p, int config_fd)
{
        OWN_MEM char *text = NULL;
        struct config next = { 0 };
        struct err e = { 0 };

        int r = config_read_fd(config_fd, &text, &e);
        if (r == 0)
                r = config_load(&next, text, p->config_name, &e);
        if (r < 0) {
                log_error(&p->log, "reload: %s; the old configuration stays", e.text);
                return;
        }
        struct config was = p->config; /* gone after a success */
        p->config = next;
        r = languages_reload(p, &was, &e);
        if (r < 0) {
                log_error(&p->log, "reload: %s; the old configuration stays", e.text);
                p->config = was;
                config_fini(&next);
                return;
        }
        log_what_needs_a_restart(p, &was);
        config_fini(&was);
        listener_check_files(p);
        p->log.level = next.log_level;
        p->queue.max = next.max_queue;
        p->queue.max_bytes = next.max_queue_bytes;
        p->memory.max = next.max_memory;
        if (p->cache)
                cache_bound(p->cache, next.cache_bytes);
        log_info(&p->log, "reloaded %s", p->config_name);
}

/* ---------------------------------------------------------------- the pulse */

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct pool *p = arg;

        control_alive(p->control);
        if (p->closing)
                return;
        for (size_t i = 0; i < p->n_listeners; i++)
                listener_tick(&p->listeners[i]);
        languages_tick(p);
}

static int start_ticking(struct pool *p, struct err *e)
{
        const struct timeval second = { .tv_sec = 1 };
        if (event_assign(&p->tick, p->base, -1, EV_PERSIST, on_tick, p) < 0 || loop_urgent(&p->tick, LOOP_LIMITS) < 0 ||
            event_add(&p->tick, &second) < 0)
                return err_say(e, EIO, "a timer");
        return 0;
}

/* ---------------------------------------------------------------- start and end */

static void on_unblocked(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct pool *p = arg;
        if (!p->closing)
                languages_kick(p);
}

static void no_libevent_log(int severity, const char *message)
{
        (void)severity;
        (void)message; /* what it would say is said by those who see the call fail */
}

static int load(struct pool *p, struct err *e)
{
        OWN_FD int fd = POOL_FD_CONFIG;
        OWN_MEM char *text = NULL;

        int r = config_read_fd(fd, &text, e);
        if (r == 0)
                r = config_load(&p->config, text, p->config_name, e);
        if (r == 0)
                p->log.level = p->config.log_level;
        return r;
}

static int name_instance(struct pool *p, struct err *e)
{
        uint32_t number;
        if (getrandom(&number, sizeof number, 0) != sizeof number)
                return err_set(e, errno, "random bytes");
        snprintf(p->instance, sizeof p->instance, "%08x", number);
        return 0;
}

static unsigned count_cores(void)
{
        cpu_set_t set;
        int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
        return n < 1 ? 1 : (unsigned)n;
}

static int make_base(struct pool *p, struct err *e)
{
        int r = loop_new(&p->base, e);
        if (r == 0)
                r = turns_init(&p->turns, p->base, e);
        if (r == 0 && (evtimer_assign(&p->drain_timer, p->base, on_drain_timer, p) < 0 ||
                       loop_urgent(&p->drain_timer, LOOP_LIMITS) < 0 ||
                       evtimer_assign(&p->progress, p->base, on_progress, p) < 0 ||
                       evtimer_assign(&p->unblocked, p->base, on_unblocked, p) < 0 ||
                       loop_urgent(&p->unblocked, LOOP_REPORTS) < 0))
                r = err_say(e, EIO, "libevent can't be set up");
        return r;
}

static int open_listeners(struct pool *p, unsigned n, struct err *e)
{
        p->listeners = calloc(n ? n : 1, sizeof *p->listeners);
        if (!p->listeners)
                return err_set(e, ENOMEM, "the listeners");
        for (; p->n_listeners < n; p->n_listeners++) {
                int r = listener_init(&p->listeners[p->n_listeners], p, POOL_FD_FIRST_LISTENER + (int)p->n_listeners,
                                      e);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void open_cache(struct pool *p, bool has_cache)
{
        struct err e = { 0 };
        if (has_cache && cache_new(&p->cache, POOL_FD_CACHE, p->config.cache_bytes, &e) < 0)
                log_warn(&p->log, "there is no compile cache: %s", e.text);
}

static int prepare(struct pool *p, const struct pool_options *options, struct err *e)
{
        int r = load(p, e);
        if (r == 0)
                r = name_instance(p, e);
        if (r == 0)
                r = make_base(p, e);
        if (r < 0)
                return r;
        listener_check_files(p);
        queue_init(&p->queue, p->config.max_queue, p->config.max_queue_bytes);
        p->memory.max = p->config.max_memory;
        r = languages_init(p, e);
        if (r == 0)
                open_cache(p, options->has_cache);
        if (r == 0)
                r = control_new(&p->control, p, POOL_FD_CONTROL, e);
        if (r == 0)
                r = open_listeners(p, options->n_listeners, e);
        if (r == 0)
                r = start_ticking(p, e);
        return r;
}

static void pool_free(struct pool *p)
{
        struct session *s;

        if (!p)
                return;
        p->closing = true;
        while ((s = LIST_FIRST(&p->sessions)))
                session_free(s);
        languages_fini(p);
        for (size_t i = 0; i < p->n_listeners; i++)
                listener_fini(&p->listeners[i]);
        free(p->listeners);
        control_free(p->control);
        cache_free(p->cache);
        if (p->base) {
                event_del(&p->drain_timer);
                event_del(&p->progress);
                event_del(&p->unblocked);
                event_del(&p->tick);
                turns_fini(&p->turns);
                event_base_free(p->base);
        }
        status_cache_fini(&p->last_status);
        config_fini(&p->config);
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
        p->cores = count_cores();
        LIST_INIT(&p->sessions);
        LIST_INIT(&p->leaving);
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

/* An answer of a MiB passes through memory twice. Given back to the kernel each time, as libc would, it would come anew
 * at the price of a page fault for each 4 KiB, which is more than all else that is done with it. */
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
                close(POOL_FD_CACHE); /* what keeps its place */
        ignore_signals();
        event_set_log_callback(no_libevent_log);
        int r = confine_forget(POOL_FD_FIRST_LISTENER + options->n_listeners, &e);
        if (r == 0)
                r = confine_drop(options->uid, cache, &e);
        if (r == 0)
                r = prepare(p, options, &e);
        if (r == 0)
                r = confine_calls(cache, &e);
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
