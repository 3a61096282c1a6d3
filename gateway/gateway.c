/* The worker's process: see worker.h. Its life is confine, prepare, loop, drain. */
#include "gateway/worker.h"

#include "gateway/confine.h"
#include "gateway/http_server.h"
#include "gateway/wslay.h"

#include <errno.h>
#include <event2/util.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

struct gateway {
        const struct gateway_options *options;
        const struct gateway_parts *parts;
        struct log log;
        struct event_base *base;
        struct event *control;
        struct event *tick;
        struct http_server *server;
        void *state;
        bool draining;
};

struct event_base *gateway_base(const struct gateway *g)
{
        return g->base;
}

const struct log *gateway_log(const struct gateway *g)
{
        return &g->log;
}

const struct gateway_options *gateway_options(const struct gateway *g)
{
        return g->options;
}

void *gateway_state(const struct gateway *g)
{
        return g->state;
}

bool gateway_is_draining(const struct gateway *g)
{
        return g->draining;
}

void gateway_hold(struct gateway *g, int64_t bytes)
{
        http_server_hold(g->server, bytes);
}

static void say_alive(const struct gateway *g)
{
        /* An error is ignored: the supervisor has closed its end only if the worker is to drain, and control_readable
         * sees that. */
        (void)send(g->options->control_fd, "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void each_second(evutil_socket_t fd, short what, void *data)
{
        struct gateway *g = data;

        (void)fd;
        (void)what;
        say_alive(g);
        http_server_tick(g->server);
        if (g->draining && http_server_is_drained(g->server))
                event_base_loopbreak(g->base);
}

/* End of file: drain. The supervisor sends nothing. */
static void control_readable(evutil_socket_t fd, short what, void *data)
{
        struct gateway *g = data;
        char byte;
        ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

        (void)what;
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        log_debug(&g->log, "draining");
        g->draining = true;
        event_del(g->control);
        http_server_drain(g->server);
        /* From here on each 50 ms, so that the worker ends soon after its last exchange. */
        event_add(g->tick, &(struct timeval){ .tv_usec = 50 * 1000 });
}

/* With the change list, a watch that is taken off and put on again within one turn makes no system call. evhttp does so
 * at each request. The list is safe because no watched descriptor is a copy of another one. */
static struct event_base *new_base(void)
{
        struct event_config *config = event_config_new();
        struct event_base *base = NULL;

        if (config && event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST) == 0)
                base = event_base_new_with_config(config);
        if (config)
                event_config_free(config);
        return base;
}

static int prepare(struct gateway *g, struct err *e)
{
        const struct gateway_options *o = g->options;

        g->base = new_base();
        if (!g->base)
                return err_set(e, ENOMEM, "the loop");
        g->control = event_new(g->base, o->control_fd, EV_READ | EV_PERSIST, control_readable, g);
        g->tick = event_new(g->base, -1, EV_PERSIST, each_second, g);
        if (!g->control || !g->tick || event_add(g->control, NULL) < 0 ||
            event_add(g->tick, &(struct timeval){ .tv_sec = 1 }) < 0)
                return err_set(e, ENOMEM, "the loop");
        int r = http_server_new(&g->server, g, g->base, &g->log, o, g->parts->contracts, g->parts->n_contracts, e);
        if (r == 0 && g->parts->start)
                r = g->parts->start(g, &g->state, e);
        return r;
}

/* The number above all descriptors that the worker was given. Descriptors from this number on are not the worker's. */
static unsigned first_foreign(const struct gateway_options *o)
{
        int most = o->control_fd > 2 ? o->control_fd : 2;

        for (size_t i = 0; i < o->n_listeners; i++)
                most = o->listeners[i].fd > most ? o->listeners[i].fd : most;
        return (unsigned)(o->root_fd > most ? o->root_fd : most) + 1;
}

static int run(struct gateway *g, struct err *e)
{
        const struct gateway_options *o = g->options;
        /* Opens libwslay while the worker can still see its file. Then http_server_new finds the library open. If
         * libwslay is not installed, http_server_new logs that. */
        struct wslay opened;
        int r = 0;

        (void)wslay_load(&opened);
        (void)signal(SIGPIPE, SIG_IGN);
        (void)signal(SIGINT, SIG_IGN); /* Ctrl-C in a terminal is for the supervisor, which tells the worker to drain */
        if (g->parts->confined)
                r = gateway_confine(first_foreign(o), o->uid, o->root_fd, e);
        if (r == 0)
                r = prepare(g, e);
        if (r == 0 && g->parts->confined)
                r = gateway_confine_calls(e);
        if (r < 0)
                return r;
        say_alive(g);
        return event_base_dispatch(g->base) < 0 ? err_set(e, EIO, "the loop") : 0;
}

int gateway_serve(const struct gateway_options *o, const struct gateway_parts *parts)
{
        struct gateway g = { .options = o, .parts = parts, .log = { .who = "gateway", .level = o->log_level } };
        struct err e = { 0 };
        int r = run(&g, &e);

        if (r < 0)
                log_error(&g.log, "%s", e.text);
        http_server_free(g.server);
        if (g.state && parts->stop)
                parts->stop(g.state);
        if (g.control)
                event_free(g.control);
        if (g.tick)
                event_free(g.tick);
        if (g.base)
                event_base_free(g.base);
        return r < 0 ? 1 : 0;
}
