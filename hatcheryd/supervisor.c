/* The supervisor: see supervisor.h. This file holds the start, signals, the configuration and the end; keeper.h keeps
 * processes running. */
#include "hatcheryd/supervisor.h"

#include "hatcheryd/cachedir.h"
#include "hatcheryd/instance.h"
#include "hatcheryd/keeper.h"
#include "hatcheryd/leftovers.h"
#include "hatcheryd/listen.h"
#include "hatcheryd/role.h"
#include "hatcheryd/settings.h"
#include "hatcheryd/upgrade.h"
#include "pool/config/config.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"
#include "proto/ipc/control.h"
#include "zygote/host/cgroup.h"
#include "zygote/host/usr_disk.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

enum {
        CLEAN_MS = 3000,       /* killed processes need a moment to die */
        STOP_GRACE_MS = 10000, /* beyond the configured drain time */
};

struct supervisor {
        const struct supervisor_options *options;
        struct log log;
        struct config config;
        char *merged; /* the configuration's text, as settings_read has made it */
        struct upgrade upgrade;
        struct instance instance;
        struct cgroup_tree cgroups;
        bool have_cgroups;
        char disk[USR_DISK_SIZE]; /* the disk of /usr, see usr_disk_find; "": not found */
        struct err no_disk;       /* why `disk` is empty */
        struct listen_socket listeners[ROLE_MAX_LISTENERS];
        size_t n_listeners;
        int signals;
        struct keeper_settings settings; /* its config_fd holds the configuration's text as the pool gets it */
        struct keeper keeper;
        bool ready_said;
        int64_t stop_by_ms;
        int status; /* the process's exit status */
};

static int open_listeners(struct supervisor *s, struct err *e)
{
        const char *const *list = s->options->n_listen ? s->options->listen : (const char *const *)s->config.listen;
        size_t n = s->options->n_listen ? s->options->n_listen : s->config.n_listen;
        if (n == 0 || n > ROLE_MAX_LISTENERS)
                return err_say(e, EINVAL, "%zu addresses to listen on; 1 to %d are possible", n, ROLE_MAX_LISTENERS);
        for (size_t i = 0; i < n; i++) {
                int r = listen_open(&s->listeners[i], list[i], e);
                if (r < 0)
                        return r;
                s->n_listeners++;
        }
        return 0;
}

/* The cache only saves time: a server runs without it. */
static void open_cache(struct supervisor *s)
{
        struct err e = { 0 };
        s->settings.cache_fd = cachedir_open(s->config.cache, &s->instance, &e);
        if (s->settings.cache_fd < 0)
                log_warn(&s->log, "there is no compile cache: %s", e.text);
}

/* ---------------------------------------------------------------- stopping */

static void stop(struct supervisor *s)
{
        struct control c = { .kind = CONTROL_DRAIN };
        struct err e = { 0 };
        if (s->keeper.stopping) {
                log_warn(&s->log, "told to stop twice: killing what still runs");
                keeper_kill_all(&s->keeper);
                return;
        }
        log_info(&s->log, "draining: what runs may finish within %lld s", (long long)s->config.drain_us / 1000000);
        s->keeper.stopping = true;
        s->stop_by_ms = clock_ms() + s->config.drain_us / 1000 + STOP_GRACE_MS;
        if (keeper_tell(&s->keeper, &c, -1, &e) < 0)
                keeper_kill_all(&s->keeper);
}

/* ---------------------------------------------------------------- events */

static void say_ready(struct supervisor *s)
{
        if (s->ready_said || !s->keeper.ready)
                return;
        s->ready_said = true;
        printf("ready");
        for (size_t i = 0; i < s->n_listeners; i++)
                printf(" %s", s->listeners[i].name);
        printf("\n");
        fflush(stdout);
}

/* Stops a server that fails again and again before it was ever ready. A server that was ready once goes on trying. */
static void give_up_if_hopeless(struct supervisor *s)
{
        if (s->keeper.ready || s->keeper.stopping || !keeper_is_hopeless(&s->keeper))
                return;
        log_error(&s->log, "giving up: it never came up; the lines above say why, and so does hatcheryd --check-host");
        s->status = 1;
        stop(s);
}

/* Reads the files of the configuration, and finds out which of their languages are installed. */
static int read_settings(const struct supervisor *s, struct config *config, char **merged, int *fd, struct err *e)
{
        const struct settings_source source = {
                .path = s->options->config_path,
                .program_directory = s->options->program_directory,
                .log = &s->log,
        };
        int r = settings_read(&source, config, merged, fd, e);
        if (r < 0 || (config->n_languages > 0 && config->n_languages <= KEEPER_MAX_LANGUAGES))
                return r;
        r = config->n_languages > 0
                    ? err_say(e, EINVAL, "there are %zu languages to serve; there is room for %d", config->n_languages,
                              KEEPER_MAX_LANGUAGES)
                    : err_say(e, ENOENT, "there is no language to serve; hatcheryd --check-host says what is missing");
        own_close(fd);
        *fd = -1;
        own_free(merged);
        *merged = NULL;
        config_fini(config);
        return r;
}

static void say_unlimited_reads(const struct supervisor *s)
{
        if (s->config.disk_read > 0 && s->disk[0] == '\0')
                log_info(&s->log, "reads of sandboxes from the disk of /usr are not limited: %s", s->no_disk.text);
}

/* Takes over *config and fd, and sends fd to the pool. */
static void adopt(struct supervisor *s, const struct config *config, int fd, const char *what)
{
        struct control c = { .kind = CONTROL_RELOAD };
        struct err e = { 0 };

        config_fini(&s->config);
        close(s->settings.config_fd);
        s->config = *config;
        s->settings.config_fd = fd;
        if (keeper_pool_runs(&s->keeper) && keeper_tell(&s->keeper, &c, fd, &e) < 0)
                log_error(&s->log, "the pool did not take the new configuration: %s", e.text);
        else
                log_info(&s->log, "%s", what);
}

static bool has_other_compilers(const struct config *a, const struct config *b)
{
        for (size_t i = 0; i < a->n_runtimes && i < b->n_runtimes; i++)
                if (!config_runtime_same(&a->runtimes[i], &b->runtimes[i]))
                        return true;
        return false;
}

/* Called when packages have changed: finds out which compilers differ now. The configuration itself is read again only
 * on SIGHUP. */
static void look_at_compilers(struct supervisor *s)
{
        struct config config = { 0 };
        struct err e = { 0 };
        int fd = -1;

        if (settings_identify(s->merged, "the configuration", &config, &fd, &e) < 0) {
                log_error(&s->log, "%s", e.text);
        } else if (has_other_compilers(&s->config, &config)) {
                adopt(s, &config, fd, "compilers, or what they read, have changed; their languages are renewed");
        } else {
                config_fini(&config);
                close(fd);
        }
}

static void reload(struct supervisor *s)
{
        struct config config = { 0 };
        struct err e = { 0 };
        char *merged = NULL;
        int fd = -1;
        if (read_settings(s, &config, &merged, &fd, &e) < 0) {
                log_error(&s->log, "the configuration stays as it was: %s", e.text);
                return;
        }
        bool limited_reads = s->config.disk_read > 0;
        free(s->merged);
        s->merged = merged;
        s->log.level = config.log_level;
        adopt(s, &config, fd, "the configuration was read again");
        if (!limited_reads)
                say_unlimited_reads(s);
        keeper_configure(&s->keeper); /* the pool must know a language before it gets a zygote for it */
}

static void on_signal(struct supervisor *s)
{
        struct signalfd_siginfo info;
        if (read(s->signals, &info, sizeof info) != sizeof info)
                return;
        if (info.ssi_signo == SIGHUP)
                reload(s);
        else if (info.ssi_signo != SIGCHLD)
                stop(s);
}

static void close_listeners(struct supervisor *s)
{
        for (size_t i = 0; i < s->n_listeners; i++)
                listen_close(&s->listeners[i]);
}

static int timeout(const struct supervisor *s)
{
        int due = keeper_timeout(&s->keeper);
        int64_t left = s->stop_by_ms - clock_ms();
        return !s->keeper.stopping || left > due ? due : left < 10 ? 10 : (int)left;
}

static void one_round(struct supervisor *s)
{
        struct pollfd fds[] = {
                { .fd = s->signals, .events = POLLIN },
                { .fd = s->keeper.control, .events = POLLIN },
        };
        if (poll(fds, 2, timeout(s)) < 0)
                return;
        if (fds[0].revents)
                on_signal(s);
        keeper_reap(&s->keeper);
        if (fds[1].revents && s->keeper.control == fds[1].fd)
                keeper_hear(&s->keeper);
        say_ready(s);
        give_up_if_hopeless(s);
        if (!s->keeper.stopping && upgrade_is_over(&s->upgrade, clock_ms()))
                look_at_compilers(s);
        if (s->keeper.stopping && !keeper_pool_runs(&s->keeper))
                close_listeners(s); /* nothing accepts new connections any more */
        if (s->keeper.stopping && clock_ms() >= s->stop_by_ms)
                keeper_kill_all(&s->keeper);
        keeper_do_due(&s->keeper);
}

/* ---------------------------------------------------------------- life */

static int prepare(struct supervisor *s, struct err *e)
{
        sigset_t mask;
        sigemptyset(&mask);
        sigaddset(&mask, SIGTERM);
        sigaddset(&mask, SIGINT);
        sigaddset(&mask, SIGHUP);
        sigaddset(&mask, SIGCHLD);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return err_set(e, errno, "blocking signals");
        s->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
        if (s->signals < 0)
                return err_set(e, errno, "signalfd");
        /* Orphans of a killed zygote become children of the supervisor, which reaps them: in a container there may be
         * no other reaper. */
        if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
                return err_set(e, errno, "PR_SET_CHILD_SUBREAPER");

        int r = read_settings(s, &s->config, &s->merged, &s->settings.config_fd, e);
        if (r < 0)
                return r;
        s->log.level = s->config.log_level;
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
        if (r == 0)
                leftovers_remove(&s->cgroups, &s->instance, &s->log);
        for (size_t i = 0; i < s->cgroups.n && r == 0; i++)
                if (s->cgroups.at[i].is_elsewhere)
                        log_warn(
                                &s->log,
                                "this process's cgroup holds other processes, so the sandboxes are in %s/%s, out of its "
                                "limits; a unit with Delegate=yes keeps them inside",
                                s->cgroups.at[i].mount, s->cgroups.at[i].group);
        if (r == 0 && usr_disk_find(&s->cgroups, s->disk, &s->no_disk) < 0)
                say_unlimited_reads(s);
        if (r == 0)
                open_cache(s);
        if (r == 0)
                r = open_listeners(s, e);
        return r;
}

/* Killed processes may still be dying. */
static void wait_for_the_dead(struct supervisor *s)
{
        struct err e = { 0 };
        int64_t until = clock_ms() + CLEAN_MS;
        int r;

        for (;;) {
                keeper_reap(&s->keeper);
                bool children = waitpid(-1, NULL, WNOHANG) == 0;
                r = cgroup_remove_instance(&s->cgroups, &e);
                if ((r != -EBUSY && !children) || clock_ms() >= until)
                        break;
                poll(NULL, 0, 10);
        }
        if (r < 0)
                log_error(&s->log, "%s", e.text);
}

static void clean_up(struct supervisor *s)
{
        close_listeners(s);
        if (s->have_cgroups)
                wait_for_the_dead(s);
        instance_release(&s->instance);
        own_close(&s->signals);
        own_close(&s->settings.config_fd);
        own_close(&s->settings.cache_fd);
        free(s->merged);
        keeper_fini(&s->keeper);
        config_fini(&s->config);
}

int supervisor_main(const struct supervisor_options *options)
{
        struct supervisor s = {
                .options = options,
                .log = { .who = "supervisor", .level = LOG_LEVEL_INFO },
                .instance.lock = -1,
                .signals = -1,
        };
        struct err e = { 0 };

        s.settings = (struct keeper_settings){
                .program_directory = options->program_directory,
                .faults = options->faults,
                .log = &s.log,
                .config = &s.config,
                .config_fd = -1,
                .cache_fd = -1,
                .instance = &s.instance,
                .cgroups = &s.cgroups,
                .disk = s.disk,
                .listeners = s.listeners,
        };
        keeper_init(&s.keeper, &s.settings);
        signal(SIGPIPE, SIG_IGN); /* the reader of the log may go away */
        if (prepare(&s, &e) < 0) {
                log_error(&s.log, "%s", e.text);
                s.status = 1;
        } else {
                s.settings.n_listeners = s.n_listeners;
                upgrade_init(&s.upgrade, clock_ms());
                keeper_configure(&s.keeper);
                keeper_do_due(&s.keeper);
                while (!s.keeper.stopping || !keeper_is_empty(&s.keeper))
                        one_round(&s);
        }
        clean_up(&s);
        return s.status;
}
