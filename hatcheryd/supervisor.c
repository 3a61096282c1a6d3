/* The supervisor: see supervisor.h.
 *
 * Life and death: the zygotes hang on the pool by their channels (end of file ends them), pool and zygotes hang on the
 * supervisor by the parent's death signal, inits hang on their zygote by both. So whatever dies takes down what depends
 * on it, and the supervisor starts what is missing. */
#include "hatcheryd/supervisor.h"

#include "hatcheryd/instance.h"
#include "hatcheryd/listen.h"
#include "hatcheryd/process.h"
#include "hatcheryd/role.h"
#include "hatcheryd/settings.h"
#include "pool/config.h"
#include "pool/pool.h"
#include "proto/channel.h"
#include "proto/own.h"
#include "zygote/cgroup.h"
#include "zygote/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

enum {
        MAX_LANGUAGES = (INSTANCE_UIDS - 16) / INSTANCE_LANGUAGE_UIDS,
        BACKOFF_MIN_MS = 100,
        BACKOFF_MAX_MS = 5000,
        SETTLED_MS = 5000, /* a process that lived so long did not die of its start */
        CLEAN_MS = 3000,   /* a dead zygote's sandboxes need a moment to die */
        MAX_FAILED_STARTS = 5,
        STOP_GRACE_MS = 10000, /* beyond the configured drain time */
};

/* A child that is to be kept running. */
struct kept {
        struct process process;
        int64_t started_ms;
        int64_t start_at_ms; /* while it is not running: when to start it */
        int64_t backoff_ms;
};

struct supervisor {
        const struct supervisor_options *options;
        struct log log;
        struct config config;
        int config_fd; /* the text as the pool gets it */
        struct instance instance;
        struct cgroup_tree cgroups;
        bool have_cgroups;
        struct listener listeners[ROLE_MAX_LISTENERS];
        size_t n_listeners;
        int signals;
        int control; /* to the pool; -1 while there is none */
        struct kept pool;
        struct kept zygotes[MAX_LANGUAGES]; /* of config.languages[i] */
        bool ready_said;
        bool stopping;
        int64_t stop_by_ms;
        int64_t zygotes_end_by_ms; /* after the pool's death they end by themselves, unless they hang */
        unsigned failed_starts;    /* deaths of zygotes before the server was ready for the first time */
        int status;                /* the process's exit status */
};

static int64_t now_ms(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---------------------------------------------------------------- starting */

static int open_listeners(struct supervisor *s, struct err *e)
{
        const char *const *list = s->options->n_listen ? s->options->listen : (const char *const *)s->config.listen;
        size_t n = s->options->n_listen ? s->options->n_listen : s->config.n_listen;
        if (n == 0 || n > ROLE_MAX_LISTENERS)
                return err_say(e, EINVAL, "%zu addresses to listen on; 1 to %d can be", n, ROLE_MAX_LISTENERS);
        for (size_t i = 0; i < n; i++) {
                int r = listener_open(&s->listeners[i], list[i], e);
                if (r < 0)
                        return r;
                s->n_listeners++;
        }
        return 0;
}

static int start_pool(struct supervisor *s, struct err *e)
{
        struct role_pool role = {
                .uid = s->instance.pool_uid,
                .config_fd = s->config_fd,
                .listeners = s->listeners,
                .n_listeners = s->n_listeners,
        };
        return role_start_pool(&s->pool.process, &role, &s->control, e);
}

static int start_zygote(struct supervisor *s, size_t index, struct err *e)
{
        const struct config_language *language = &s->config.languages[index];
        char plugin[512], init[512], name[80];
        OWN_FD int channel = -1;

        snprintf(name, sizeof name, "hatchery-lang-%s.so", language->name);
        int r = role_find(s->options->program_directory, name, plugin, sizeof plugin, e);
        if (r == 0)
                r = role_find(s->options->program_directory, "hatchery-init", init, sizeof init, e);
        if (r == 0)
                r = cgroup_remove_language(&s->cgroups, language->name, e);
        if (r < 0)
                return r;

        struct role_zygote role = {
                .language = language,
                .plugin = plugin,
                .init = init,
                .faults = s->options->faults,
                .uid_base = s->instance.sandbox_uid + (unsigned)index * INSTANCE_LANGUAGE_UIDS,
                .inodes = s->config.inodes,
                .log_level = s->config.log_level,
                .cgroups = &s->cgroups,
        };
        r = role_start_zygote(&s->zygotes[index].process, &role, &channel, e);
        if (r < 0)
                return r;
        struct control c = { .kind = CONTROL_ZYGOTE };
        snprintf(c.language, sizeof c.language, "%s", language->name);
        return channel_send(s->control, &c, sizeof c, &channel, 1, e);
}

/* ---------------------------------------------------------------- stopping */

static void kill_zygotes(struct supervisor *s)
{
        for (size_t i = 0; i < s->config.n_languages; i++)
                process_kill(&s->zygotes[i].process, SIGKILL);
}

static void kill_all(struct supervisor *s)
{
        process_kill(&s->pool.process, SIGKILL);
        kill_zygotes(s);
}

static void stop(struct supervisor *s)
{
        struct control c = { .kind = CONTROL_DRAIN };
        struct err e = { 0 };
        if (s->stopping) {
                log_warn(&s->log, "told to stop twice: killing what still runs");
                kill_all(s);
                return;
        }
        log_info(&s->log, "draining: what runs may finish within %lld s", (long long)s->config.drain_us / 1000000);
        s->stopping = true;
        s->stop_by_ms = now_ms() + s->config.drain_us / 1000 + STOP_GRACE_MS;
        if (s->control < 0 || channel_send(s->control, &c, sizeof c, NULL, 0, &e) < 0)
                kill_all(s);
}

/* ---------------------------------------------------------------- keeping alive */

/* A process has died: when may it be started again? At once if it had lived for a while, later and later if not. */
static void schedule_restart(struct kept *k)
{
        int64_t now = now_ms();
        if (now - k->started_ms > SETTLED_MS || k->backoff_ms == 0)
                k->backoff_ms = BACKOFF_MIN_MS;
        else
                k->backoff_ms = k->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : k->backoff_ms * 2;
        k->start_at_ms = now - k->started_ms > SETTLED_MS ? now : now + k->backoff_ms;
}

static void say_death(const struct supervisor *s, const char *who, int status)
{
        if (s->stopping)
                return;
        if (WIFSIGNALED(status))
                log_error(&s->log, "%s was killed by signal %d", who, WTERMSIG(status));
        else
                log_error(&s->log, "%s exited with status %d", who, WEXITSTATUS(status));
}

static void on_pool_death(struct supervisor *s)
{
        say_death(s, "the pool", process_reap(&s->pool.process));
        own_close(&s->control);
        s->control = -1;
        s->zygotes_end_by_ms = now_ms() + CLEAN_MS;
        for (size_t i = 0; s->stopping && i < s->n_listeners; i++)
                listener_close(&s->listeners[i]);
        schedule_restart(&s->pool);
}

static void on_zygote_death(struct supervisor *s, size_t i)
{
        char who[64];
        snprintf(who, sizeof who, "the zygote for %s", s->config.languages[i].name);
        say_death(s, who, process_reap(&s->zygotes[i].process));
        schedule_restart(&s->zygotes[i]);
        if (s->ready_said || s->stopping || ++s->failed_starts < MAX_FAILED_STARTS)
                return;
        log_error(&s->log, "giving up: it never came up; the lines above say why, and so does hatcheryd --check-host");
        s->status = 1;
        stop(s);
}

static bool all_zygotes_gone(const struct supervisor *s)
{
        for (size_t i = 0; i < s->config.n_languages; i++)
                if (s->zygotes[i].process.pid > 0)
                        return false;
        return true;
}

/* Starts what is due. A new pool waits until the old one's zygotes are gone: they hold its slots' cgroups and uids. */
static void start_due(struct supervisor *s)
{
        struct err e = { 0 };
        int64_t now = now_ms();

        if (s->stopping)
                return;
        if (s->pool.process.pid == 0 && now >= s->zygotes_end_by_ms)
                kill_zygotes(s);
        if (s->pool.process.pid == 0 && now >= s->pool.start_at_ms && all_zygotes_gone(s)) {
                s->pool.started_ms = now;
                if (start_pool(s, &e) < 0) {
                        log_error(&s->log, "%s", e.text);
                        schedule_restart(&s->pool);
                }
        }
        for (size_t i = 0; i < s->config.n_languages && s->pool.process.pid > 0 && s->control >= 0; i++) {
                struct kept *z = &s->zygotes[i];
                if (z->process.pid > 0 || now < z->start_at_ms)
                        continue;
                int64_t died = z->start_at_ms;
                if (start_zygote(s, i, &e) == 0) {
                        z->started_ms = now;
                        continue;
                }
                if (e.code == EBUSY && now - died < CLEAN_MS) /* its sandboxes are still dying */
                        continue;
                log_error(&s->log, "the zygote for %s: %s", s->config.languages[i].name, e.text);
                z->started_ms = now;
                schedule_restart(z);
        }
}

/* Milliseconds until something is due, -1 for never. */
static int next_timeout(const struct supervisor *s)
{
        int64_t now = now_ms(), next = s->stopping ? s->stop_by_ms : INT64_MAX;
        if (!s->stopping && s->pool.process.pid == 0)
                next = all_zygotes_gone(s) ? s->pool.start_at_ms : s->zygotes_end_by_ms;
        for (size_t i = 0; !s->stopping && s->pool.process.pid > 0 && i < s->config.n_languages; i++)
                if (s->zygotes[i].process.pid == 0 && s->zygotes[i].start_at_ms < next)
                        next = s->zygotes[i].start_at_ms;
        if (next == INT64_MAX)
                return -1;
        return next <= now ? 10 : next - now > 60000 ? 60000 : (int)(next - now);
}

/* ---------------------------------------------------------------- events */

static void on_control(struct supervisor *s)
{
        struct control c;
        struct err e = { 0 };
        size_t n_fds;
        int r = channel_recv(s->control, &c, sizeof c, NULL, 0, &n_fds, &e);
        if (r <= 0) { /* the pool is dying; its pidfd will say so */
                own_close(&s->control);
                s->control = -1;
                return;
        }
        if (c.kind != CONTROL_READY || s->ready_said)
                return;
        s->ready_said = true;
        printf("ready");
        for (size_t i = 0; i < s->n_listeners; i++)
                printf(" %s", s->listeners[i].name);
        printf("\n");
        fflush(stdout);
}

static bool same_languages(const struct config *a, const struct config *b)
{
        if (a->n_languages != b->n_languages)
                return false;
        for (size_t i = 0; i < a->n_languages; i++)
                if (strcmp(a->languages[i].name, b->languages[i].name) != 0)
                        return false;
        return true;
}

static void reload(struct supervisor *s)
{
        struct config config = { 0 };
        struct control c = { .kind = CONTROL_RELOAD };
        struct err e = { 0 };
        int fd = -1;
        if (settings_read(s->options->config_path, &config, &fd, &e) < 0) {
                log_error(&s->log, "the configuration stays as it was: %s", e.text);
                return;
        }
        if (!same_languages(&s->config, &config)) {
                log_error(&s->log, "the configuration stays as it was: languages come and go with a restart only");
                close(fd);
                config_fini(&config);
                return;
        }
        config_fini(&s->config);
        close(s->config_fd);
        s->config = config;
        s->config_fd = fd;
        s->log.level = config.log_level;
        if (s->control >= 0 && channel_send(s->control, &c, sizeof c, &fd, 1, &e) < 0)
                log_error(&s->log, "the pool did not take the new configuration: %s", e.text);
        else
                log_info(&s->log, "the configuration was read again");
}

static void on_signal(struct supervisor *s)
{
        struct signalfd_siginfo info;
        if (read(s->signals, &info, sizeof info) != sizeof info)
                return;
        if (info.ssi_signo == SIGHUP)
                reload(s);
        else
                stop(s);
}

static void one_round(struct supervisor *s)
{
        struct pollfd fds[3 + MAX_LANGUAGES];
        nfds_t n = 0;

        fds[n++] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
        fds[n++] = (struct pollfd){ .fd = s->control, .events = POLLIN };
        fds[n++] = (struct pollfd){ .fd = s->pool.process.pid ? s->pool.process.pidfd : -1, .events = POLLIN };
        for (size_t i = 0; i < s->config.n_languages; i++)
                fds[n++] = (struct pollfd){
                        .fd = s->zygotes[i].process.pid ? s->zygotes[i].process.pidfd : -1,
                        .events = POLLIN,
                };
        if (poll(fds, n, next_timeout(s)) < 0)
                return;
        if (fds[0].revents)
                on_signal(s);
        if (fds[1].revents && s->control >= 0)
                on_control(s);
        if (fds[2].revents)
                on_pool_death(s);
        for (size_t i = 0; i < s->config.n_languages; i++)
                if (fds[3 + i].revents)
                        on_zygote_death(s, i);
        if (s->stopping && now_ms() >= s->stop_by_ms)
                kill_all(s);
        start_due(s);
}

/* ---------------------------------------------------------------- life */

static int prepare(struct supervisor *s, struct err *e)
{
        sigset_t mask;
        sigemptyset(&mask);
        sigaddset(&mask, SIGTERM);
        sigaddset(&mask, SIGINT);
        sigaddset(&mask, SIGHUP);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return err_set(e, errno, "blocking signals");
        s->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
        if (s->signals < 0)
                return err_set(e, errno, "signalfd");

        int r = settings_read(s->options->config_path, &s->config, &s->config_fd, e);
        if (r < 0)
                return r;
        s->log.level = s->config.log_level;
        if (s->config.n_languages == 0 || s->config.n_languages > MAX_LANGUAGES)
                return err_say(e, EINVAL, "%zu languages are configured; 1 to %d can be", s->config.n_languages,
                               MAX_LANGUAGES);
        if (geteuid() != 0)
                return err_say(e, EPERM,
                               "hatcheryd starts as root: it makes namespaces, mounts and cgroups, and gives root up "
                               "where it can");
        r = instance_take(&s->instance, s->config.uid_base, e);
        if (r == 0)
                r = cgroup_find(&s->cgroups, e);
        if (r == 0) {
                s->have_cgroups = true;
                r = cgroup_create_instance(&s->cgroups, s->instance.name, e);
        }
        for (size_t i = 0; i < s->cgroups.n && r == 0; i++)
                if (s->cgroups.at[i].is_elsewhere)
                        log_warn(
                                &s->log,
                                "this process's cgroup holds other processes, so the sandboxes are in %s/%s, out of its "
                                "limits; a unit with Delegate=yes keeps them inside",
                                s->cgroups.at[i].mount, s->cgroups.at[i].group);
        if (r == 0)
                r = open_listeners(s, e);
        return r;
}

static void clean_up(struct supervisor *s)
{
        for (size_t i = 0; i < s->n_listeners; i++)
                listener_close(&s->listeners[i]);
        if (s->have_cgroups) {
                struct err e = { 0 };
                int64_t until = now_ms() + CLEAN_MS;
                int r;
                while ((r = cgroup_remove_instance(&s->cgroups, &e)) == -EBUSY && now_ms() < until)
                        poll(NULL, 0, 10);
                if (r < 0)
                        log_error(&s->log, "%s", e.text);
        }
        instance_release(&s->instance);
        own_close(&s->signals);
        own_close(&s->control);
        own_close(&s->config_fd);
        config_fini(&s->config);
}

int supervisor_main(const struct supervisor_options *options)
{
        struct supervisor s = {
                .options = options,
                .log = { .who = "supervisor", .level = LOG_LEVEL_INFO },
                .config_fd = -1,
                .instance.lock = -1,
                .signals = -1,
                .control = -1,
                .pool.process.pidfd = -1,
        };
        struct err e = { 0 };

        signal(SIGPIPE, SIG_IGN); /* whoever reads the log may go away */
        if (prepare(&s, &e) < 0) {
                log_error(&s.log, "%s", e.text);
                s.status = 1;
        } else {
                start_due(&s);
                while (!s.stopping || s.pool.process.pid > 0 || !all_zygotes_gone(&s))
                        one_round(&s);
        }
        clean_up(&s);
        return s.status;
}
