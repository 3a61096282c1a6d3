/* The pool process: see pool.h for its place, state.h for what it holds. Start, readiness, reload, drain and end. */
#include "pool/pool.h"

#include "pool/cache.h"
#include "pool/clock.h"
#include "pool/confine.h"
#include "pool/control.h"
#include "pool/language.h"
#include "pool/listener.h"
#include "pool/session.h"
#include "pool/state.h"
#include "proto/own.h"

#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

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
        for (size_t i = 0; i < p->n_languages; i++)
                if (!p->languages[i].was_full)
                        return;
        if (p->was_ready)
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
        event_add(&p->drain_timer, &delay);
}

/* All runs are answered: zygotes may go, answers leave, connections end. */
static void begin_closing(struct pool *p)
{
        struct session *s, *next;

        p->closing = true;
        for (size_t i = 0; i < p->n_listeners; i++)
                listener_fini(&p->listeners[i]);
        for (size_t i = 0; i < p->n_languages; i++)
                language_drain(&p->languages[i]);
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

static bool same_list(char *const *a, size_t n_a, char *const *b, size_t n_b)
{
        if (n_a != n_b)
                return false;
        for (size_t i = 0; i < n_a; i++)
                if (strcmp(a[i], b[i]) != 0)
                        return false;
        return true;
}

static const struct config_language *find(const struct config *c, const char *name)
{
        for (size_t i = 0; i < c->n_languages; i++)
                if (strcmp(c->languages[i].name, name) == 0)
                        return &c->languages[i];
        return NULL;
}

static void log_what_needs_a_restart(const struct pool *p, const struct config *next)
{
        const struct config *now = &p->config;

        if (!same_list(now->listen, now->n_listen, next->listen, next->n_listen))
                log_warn(&p->log, "reload: listen has changed, which takes effect at the next start");
        if (strcmp(now->cache, next->cache) != 0)
                log_warn(&p->log, "reload: cache has changed, which takes effect at the next start");
        if (now->uid_base != next->uid_base)
                log_warn(&p->log, "reload: uid_base has changed, which takes effect at the next start");
        for (size_t i = 0; i < now->n_languages; i++) {
                const struct config_language *l = &now->languages[i];
                if (!find(next, l->name))
                        log_warn(&p->log, "reload: the language %s is gone, which takes effect at the next start",
                                 l->name);
        }
        for (size_t i = 0; i < next->n_languages; i++)
                if (!find(now, next->languages[i].name))
                        log_warn(&p->log, "reload: the language %s is new, which takes effect at the next start",
                                 next->languages[i].name);
}

/* What a zygote is started with takes effect with the next one. */
static void renew_what_has_changed(struct pool *p, const struct config *next)
{
        for (size_t i = 0; i < p->n_languages; i++) {
                struct language *l = &p->languages[i];
                const struct config_language *was = find(&p->config, l->name), *is = find(next, l->name);
                if (!was || !is)
                        continue;
                if (p->config.inodes == next->inodes &&
                    same_list(was->preload, was->n_preload, is->preload, is->n_preload))
                        continue;
                log_info(&p->log, "reload: %s is renewed, because inodes or preload has changed", l->name);
                language_outdate(l);
        }
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
        log_what_needs_a_restart(p, &next);
        renew_what_has_changed(p, &next);
        config_fini(&p->config);
        p->config = next;
        listener_check_files(p);
        p->log.level = next.log_level;
        p->queue.max = next.max_queue;
        p->queue.max_bytes = next.max_queue_bytes;
        p->memory.max = next.max_memory;
        if (p->cache)
                cache_bound(p->cache, next.cache_bytes);
        for (size_t i = 0; i < p->n_languages; i++) {
                const struct config_language *l = find(&next, p->languages[i].name);
                if (!l)
                        continue;
                language_configure(&p->languages[i], l);
        }
        language_share(p);
        for (size_t i = 0; i < p->n_languages; i++)
                language_kick(&p->languages[i]);
        log_info(&p->log, "reloaded %s", p->config_name);
}

/* ---------------------------------------------------------------- the pulse */

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct pool *p = arg;

        control_alive(p->control);
        for (size_t i = 0; i < p->n_languages && !p->closing; i++)
                language_tick(&p->languages[i]);
        if (!p->closing)
                language_share(p);
}

static int start_ticking(struct pool *p, struct err *e)
{
        const struct timeval second = { .tv_sec = 1 };
        if (event_assign(&p->tick, p->base, -1, EV_PERSIST, on_tick, p) < 0 || event_add(&p->tick, &second) < 0)
                return err_say(e, EIO, "a timer");
        return 0;
}

/* ---------------------------------------------------------------- start and end */

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

/* A delayed epoll_ctl (libevent's change list) would save calls, but act on descriptors that were closed and reused
 * meanwhile; here each run closes five. */
static int make_base(struct pool *p, struct err *e)
{
        struct event_config *c = event_config_new();
        if (c && event_config_avoid_method(c, "select") == 0 && event_config_avoid_method(c, "poll") == 0 &&
            event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) == 0)
                p->base = event_base_new_with_config(c);
        if (c)
                event_config_free(c);
        if (!p->base || evtimer_assign(&p->drain_timer, p->base, on_drain_timer, p) < 0 ||
            evtimer_assign(&p->progress, p->base, on_progress, p) < 0)
                return err_say(e, EIO, "libevent can't be set up");
        return 0;
}

static int make_languages(struct pool *p, struct err *e)
{
        p->languages = calloc(p->config.n_languages, sizeof *p->languages);
        if (!p->languages)
                return err_set(e, ENOMEM, "the languages");
        for (; p->n_languages < p->config.n_languages; p->n_languages++)
                language_init(&p->languages[p->n_languages], p, &p->config.languages[p->n_languages]);
        language_share(p);
        return 0;
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
        r = make_languages(p, e);
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
        for (size_t i = 0; i < p->n_languages; i++)
                language_fini(&p->languages[i]);
        free(p->languages);
        for (size_t i = 0; i < p->n_listeners; i++)
                listener_fini(&p->listeners[i]);
        free(p->listeners);
        control_free(p->control);
        cache_free(p->cache);
        if (p->base) {
                event_del(&p->drain_timer);
                event_del(&p->progress);
                event_del(&p->tick);
                event_base_free(p->base);
        }
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
                event_base_dispatch(p->base);
                r = -p->status;
        } else {
                log_error(&p->log, "%s", e.text);
        }
        pool_free(p);
        return r == 0 ? 0 : 1;
}
