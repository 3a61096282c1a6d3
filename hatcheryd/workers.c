/* The gateway's workers: see workers.h. */
#include "hatcheryd/workers.h"

#include "hatcheryd/role_gateway.h"
#include "proto/base/clock.h"
#include "proto/base/cores.h"
#include "proto/base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum {
        SETTLED_MS = 1000, /* a worker that came up and lived so long did not fail to start */
        TICK_MS = 1000,
        SILENT_TICKS = 15,    /* a worker that is silent for so long hangs; a healthy one sends a byte every second */
        LEAVE_GRACE_MS = 5000 /* added to the drain time of a worker that was replaced */
};

void workers_init(struct workers *w, const struct workers_settings *settings)
{
        *w = (struct workers){ .settings = settings };
        for (size_t i = 0; i < CONFIG_MAX_WORKERS; i++)
                w->at[i] = (struct worker){ .process.pidfd = -1, .leaving.pidfd = -1, .control = -1 };
}

/* ---------------------------------------------------------------- addresses */

/* The addresses of all sections form one list. Returns the address at this place of the list, and the address's
 * section. NULL: the list is shorter. */
static const char *find_address(const struct config *c, size_t place, const struct config_http **section)
{
        for (size_t i = 0; i < c->n_http; i++)
                for (char **at = c->http[i].listen; at && *at; at++, place--)
                        if (place == 0) {
                                *section = &c->http[i];
                                return *at;
                        }
        return NULL;
}

static size_t count_addresses(const struct config *c)
{
        const struct config_http *section;
        size_t n = 0;
        while (find_address(c, n, &section))
                n++;
        return n;
}

static size_t count_workers(const struct config *c)
{
        if (c->gateway_workers > 0)
                return c->gateway_workers;
        size_t n = cores() / 2;
        return n == 0 ? 1 : n > CONFIG_MAX_WORKERS ? CONFIG_MAX_WORKERS : n;
}

static void close_listeners(struct workers *w)
{
        for (size_t i = 0; i < w->n_listeners; i++)
                for (size_t k = 0; k < CONFIG_MAX_WORKERS; k++) {
                        own_close(&w->listeners[i].fds[k]);
                        w->listeners[i].fds[k] = -1;
                }
}

int workers_open(struct workers *w, struct err *e)
{
        const struct config *c = w->settings->config;
        size_t n = count_addresses(c), n_workers = count_workers(c), n_open = 0;
        const struct config_http *section;

        w->listeners = calloc(n + 1, sizeof *w->listeners);
        if (!w->listeners)
                return err_set(e, ENOMEM, "the addresses of http");
        for (; w->n_listeners < n; w->n_listeners++) {
                struct workers_listener *l = &w->listeners[w->n_listeners];
                const char *address = find_address(c, w->n_listeners, &section);
                memset(l->fds, -1, sizeof l->fds);
                int r = listen_open_shared(l->fds, n_workers, l->name, address, e);
                if (r == 0)
                        n_open++;
                else if (r != -EADDRINUSE || strcmp(address, CONFIG_HTTP_LISTEN) != 0)
                        return err_wrap(e, "http");
                else
                        log_warn(w->settings->log,
                                 "there is no HTTP on %s: the address is in use; to use another, name it in a "
                                 "section http",
                                 address);
        }
        w->n = n_open > 0 ? n_workers : 0;
        w->tick_ms = clock_ms() + TICK_MS;
        return 0;
}

void workers_fini(struct workers *w)
{
        close_listeners(w);
        for (size_t i = 0; i < w->n; i++)
                own_close(&w->at[i].control);
        free(w->listeners);
}

void workers_print(const struct workers *w, FILE *to)
{
        for (size_t i = 0; i < w->n_listeners && w->n > 0; i++)
                if (w->listeners[i].name[0])
                        fprintf(to, " http://%s", w->listeners[i].name);
}

/* ---------------------------------------------------------------- settings */

bool workers_need_restart(const struct config *was, const struct config *is)
{
        const struct config_http *section;
        size_t n = count_addresses(was);

        if (n != count_addresses(is) || (n > 0 && count_workers(was) != count_workers(is)))
                return true;
        for (size_t i = 0; i < n; i++)
                if (strcmp(find_address(was, i, &section), find_address(is, i, &section)) != 0)
                        return true;
        return false;
}

/* For configurations with the same addresses: would a worker get the same command line? */
static bool are_same(const struct config *a, const struct config *b)
{
        const struct config_http *of_a, *of_b;

        for (size_t i = 0; find_address(a, i, &of_a) && find_address(b, i, &of_b); i++)
                if (!config_list_same(of_a->contracts, of_b->contracts) ||
                    !config_list_same(of_a->hosts, of_b->hosts) || !config_list_same(of_a->origins, of_b->origins))
                        return false;
        return a->gateway_memory == b->gateway_memory && a->max_request_bytes == b->max_request_bytes &&
               a->log_level == b->log_level;
}

void workers_configure(struct workers *w, const struct config *was, const struct config *is)
{
        if (are_same(was, is))
                return;
        for (size_t i = 0; i < w->n; i++)
                w->at[i].outdated = w->at[i].process.pid > 0;
}

/* ---------------------------------------------------------------- starting */

/* The memory that a worker may use for requests. A body in JSON may be a third larger than its request, plus 1 MiB. The
 * memory must have room for one such body. */
static uint64_t memory_of(const struct config *c)
{
        uint64_t largest = (uint64_t)c->max_request_bytes * 4 / 3 + (1 << 20);
        return c->gateway_memory > largest ? c->gateway_memory : largest;
}

static int start(struct workers *w, size_t number, struct err *e)
{
        const struct workers_settings *s = w->settings;
        struct role_gateway_listener listeners[CONFIG_MAX_HTTP_LISTEN];
        struct worker *k = &w->at[number];
        OWN_FD int control = -1;
        size_t n = 0;

        for (size_t i = 0; i < w->n_listeners && n < CONFIG_MAX_HTTP_LISTEN; i++) {
                struct role_gateway_listener *l = &listeners[n];
                *l = (struct role_gateway_listener){ .fd = w->listeners[i].fds[number], .name = w->listeners[i].name };
                find_address(s->config, i, &l->http);
                n += l->fd >= 0;
        }
        const struct role_gateway role = {
                .worker = (uint32_t)number,
                .uid = s->instance->gateway_uid,
                .max_memory = memory_of(s->config),
                .max_request_bytes = s->config->max_request_bytes,
                .log_level = s->config->log_level,
                .root_fd = *s->directory,
                .listeners = listeners,
                .n_listeners = n,
        };
        int r = role_start_gateway(&k->process, &role, &control, e);
        if (r < 0)
                return r;
        if (fcntl(control, F_SETFL, O_NONBLOCK) < 0)
                return err_set(e, errno, "a non-blocking socket");
        k->control = own_steal_fd(&control);
        k->started_ms = clock_ms();
        k->came_up = false;
        k->silent_ticks = 0;
        k->outdated = false;
        return 0;
}

static void start_due(struct workers *w, int64_t now)
{
        for (size_t i = 0; i < w->n && !w->draining; i++) {
                struct worker *k = &w->at[i];
                struct err e = { 0 };
                if (k->process.pid > 0 || now < k->pace.not_before_ms || start(w, i, &e) == 0)
                        continue;
                log_error(w->settings->log, "the gateway's worker %zu: %s", i, e.text);
                pace_failed(&k->pace, now);
        }
}

/* Tells outdated workers to drain. A place has room for one leaving worker. Another replacement at this place waits
 * until the leaving worker has ended. */
static void replace_outdated(struct workers *w, int64_t now)
{
        for (size_t i = 0; i < w->n && !w->draining; i++) {
                struct worker *k = &w->at[i];
                if (!k->outdated || k->process.pid == 0 || k->leaving.pid > 0)
                        continue;
                own_close(&k->control);
                k->control = -1;
                k->leaving = k->process;
                k->kill_at_ms = now + w->settings->config->drain_us / 1000 + LEAVE_GRACE_MS;
                k->process = (struct process){ .pidfd = -1 };
                k->outdated = false;
        }
}

/* ---------------------------------------------------------------- workers that hang or are overdue */

/* Counts ticks instead of time: see watch_pool in keeper.c. */
static void tick(struct workers *w, int64_t now)
{
        if (now < w->tick_ms)
                return;
        w->tick_ms = now + TICK_MS;
        for (size_t i = 0; i < w->n; i++) {
                struct worker *k = &w->at[i];
                if (k->control < 0 || ++k->silent_ticks < SILENT_TICKS)
                        continue;
                log_error(w->settings->log, "the gateway's worker %zu has said nothing for %d s, and is killed", i,
                          SILENT_TICKS);
                process_kill(&k->process, SIGKILL);
                k->silent_ticks = 0;
        }
}

static void kill_overdue(const struct workers *w, int64_t now)
{
        for (size_t i = 0; i < w->n; i++)
                if (w->at[i].leaving.pid > 0 && now >= w->at[i].kill_at_ms)
                        process_kill(&w->at[i].leaving, SIGKILL);
}

void workers_do_due(struct workers *w)
{
        int64_t now = clock_ms();

        if (w->n == 0)
                return;
        kill_overdue(w, now);
        tick(w, now);
        replace_outdated(w, now);
        start_due(w, now);
}

int64_t workers_next_ms(const struct workers *w)
{
        int64_t next = w->n > 0 ? w->tick_ms : INT64_MAX;

        for (size_t i = 0; i < w->n; i++) {
                const struct worker *k = &w->at[i];
                if (k->process.pid == 0 && !w->draining && k->pace.not_before_ms < next)
                        next = k->pace.not_before_ms;
                if (k->leaving.pid > 0 && k->kill_at_ms < next)
                        next = k->kill_at_ms;
        }
        return next;
}

/* ---------------------------------------------------------------- deaths */

static void say_death(const struct workers *w, size_t number, int status)
{
        const struct log *log = w->settings->log;

        if (WIFSIGNALED(status))
                log_error(log, "the gateway's worker %zu was killed by signal %d", number, WTERMSIG(status));
        else
                log_error(log, "the gateway's worker %zu exited with status %d", number, WEXITSTATUS(status));
}

static void on_death(struct workers *w, size_t number, int status)
{
        struct worker *k = &w->at[number];
        int64_t now = clock_ms();

        process_ended(&k->process);
        own_close(&k->control);
        k->control = -1;
        if (w->draining && (status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)))
                return;
        say_death(w, number, status);
        if (k->came_up && now - k->started_ms >= SETTLED_MS)
                pace_settled(&k->pace);
        pace_failed(&k->pace, now);
}

bool workers_died(struct workers *w, pid_t pid, int status)
{
        for (size_t i = 0; i < w->n; i++) {
                struct worker *k = &w->at[i];
                if (pid == k->process.pid) {
                        on_death(w, i, status);
                        return true;
                }
                if (pid == k->leaving.pid) {
                        process_ended(&k->leaving);
                        if (status != 0)
                                say_death(w, i, status);
                        return true;
                }
        }
        return false;
}

/* ---------------------------------------------------------------- the workers' messages */

size_t workers_watch(const struct workers *w, struct pollfd *fds)
{
        size_t n = 0;
        for (size_t i = 0; i < w->n; i++)
                if (w->at[i].control >= 0)
                        fds[n++] = (struct pollfd){ .fd = w->at[i].control, .events = POLLIN };
        return n;
}

void workers_hear(struct workers *w, const struct pollfd *fds, size_t n)
{
        char said[16];

        for (size_t i = 0; i < w->n; i++) {
                struct worker *k = &w->at[i];
                for (size_t f = 0; f < n; f++) {
                        if (fds[f].fd != k->control || !fds[f].revents)
                                continue;
                        ssize_t got = recv(k->control, said, sizeof said, 0);
                        if (got > 0) {
                                k->came_up = true;
                                k->silent_ticks = 0;
                        } else if (got == 0 || errno != EAGAIN) { /* the worker is dying; its death will be reported */
                                own_close(&k->control);
                                k->control = -1;
                        }
                        break;
                }
        }
}

bool workers_were_tried(const struct workers *w)
{
        for (size_t i = 0; i < w->n; i++)
                if (!w->at[i].came_up && w->at[i].pace.failures == 0)
                        return false;
        return true;
}

/* ---------------------------------------------------------------- the end */

void workers_drain(struct workers *w)
{
        w->draining = true;
        close_listeners(w);
        for (size_t i = 0; i < w->n; i++) {
                own_close(&w->at[i].control);
                w->at[i].control = -1;
        }
}

bool workers_are_gone(const struct workers *w)
{
        for (size_t i = 0; i < w->n; i++)
                if (w->at[i].process.pid > 0 || w->at[i].leaving.pid > 0)
                        return false;
        return true;
}

void workers_kill_all(const struct workers *w)
{
        for (size_t i = 0; i < w->n; i++) {
                process_kill(&w->at[i].process, SIGKILL);
                process_kill(&w->at[i].leaving, SIGKILL);
        }
}
