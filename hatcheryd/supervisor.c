/* The supervisor: see supervisor.h. This file holds the start, signals, the configuration and the end; keeper.h keeps
 * processes running. */
#include "hatcheryd/supervisor.h"

#include "hatcheryd/cachedir.h"
#include "hatcheryd/ending.h"
#include "hatcheryd/instance.h"
#include "hatcheryd/keeper.h"
#include "hatcheryd/leftovers.h"
#include "hatcheryd/listen.h"
#include "hatcheryd/poolsocket.h"
#include "hatcheryd/role.h"
#include "hatcheryd/settings.h"
#include "hatcheryd/upgrade.h"
#include "hatcheryd/workers.h"
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
        CLEAN_MS = 3000, /* killed processes need a moment to die */
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
        struct keeper_settings settings; /* settings.config_fd holds the configuration's text for the pool */
        struct keeper keeper;
        struct poolsocket poolsocket;
        struct trusted_listener trusted;
        struct workers_settings workers_settings;
        struct workers workers;
        bool ready_said;
        struct ending ending;
        int status; /* the process's exit status */
};

static int open_listeners(struct supervisor *s, struct err *e)
{
        const char *const *list = s->options->n_listen ? s->options->listen : (const char *const *)s->config.listen;
        size_t n = s->options->n_listen ? s->options->n_listen : s->config.n_listen;
        if (n == 0 || n >= ROLE_MAX_LISTENERS)
                return err_say(e, EINVAL, "%zu addresses to listen on; there must be 1 to %d", n,
                               ROLE_MAX_LISTENERS - 1);
        for (size_t i = 0; i < n; i++) {
                int r = listen_open(&s->listeners[i], list[i], e);
                if (r < 0)
                        return r;
                s->n_listeners++;
        }
        s->settings.n_listeners = s->n_listeners;
        return 0;
}

/* Addresses on the command line replace the default of http. A section http still counts. */
static bool wants_http(const struct supervisor *s)
{
        return s->config.has_http || s->options->n_listen == 0;
}

/* Opens the gateway's addresses, and the trusted socket, which becomes the last of the pool's listeners. */
static int open_gateway(struct supervisor *s, struct err *e)
{
        int r = wants_http(s) ? workers_open(&s->workers, e) : 0;
        if (r < 0 || s->workers.n == 0)
                return r;
        r = poolsocket_open(&s->poolsocket, &s->instance, e);
        if (r < 0)
                return r;
        s->listeners[s->n_listeners] = s->poolsocket.listener; /* borrowed */
        s->trusted = (struct trusted_listener){ .listener = (unsigned)s->n_listeners, .uid = s->instance.gateway_uid };
        s->settings.n_listeners = s->n_listeners + 1;
        s->settings.n_trusted = 1;
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
        if (s->ending.part != ENDING_NONE) {
                log_warn(&s->log, "told to stop twice: killing what still runs");
                ending_kill_all(&s->ending);
                return;
        }
        ending_begin(&s->ending, s->keeper.ready); /* no notice if the server was never ready */
}

/* ---------------------------------------------------------------- events */

static void say_ready(struct supervisor *s)
{
        if (s->ready_said || !s->keeper.ready || !workers_were_tried(&s->workers))
                return;
        s->ready_said = true;
        printf("ready");
        for (size_t i = 0; i < s->n_listeners; i++)
                printf(" %s", s->listeners[i].name);
        workers_print(&s->workers, stdout);
        printf("\n");
        fflush(stdout);
}

/* Stops a server that fails again and again before it was ever ready. A server that was ready once goes on trying. */
static void give_up_if_hopeless(struct supervisor *s)
{
        if (s->keeper.ready || s->ending.part != ENDING_NONE || !keeper_is_hopeless(&s->keeper))
                return;
        log_error(&s->log,
                  "giving up: the server never came up; the lines above say why, and so does hatcheryd --check-host");
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

/* If a reload changes the addresses of http, the sockets stay as they are until the next start. Then *config gets the
 * present sections http, for which the sockets were made. */
static void keep_addresses(struct supervisor *s, struct config *config)
{
        struct config was = s->config;

        if (s->workers.n_listeners > 0 && !workers_need_restart(&s->config, config))
                return;
        s->config.http = config->http;
        s->config.n_http = config->n_http;
        config->http = was.http;
        config->n_http = was.n_http;
        config->has_http = was.has_http;
        config->gateway_workers = was.gateway_workers;
}

/* Takes *config over, and tells the pool and the workers. */
static void adopt(struct supervisor *s, struct config *config, int fd, const char *what)
{
        struct control c = { .kind = CONTROL_RELOAD };
        struct err e = { 0 };

        keep_addresses(s, config);
        workers_configure(&s->workers, &s->config, config);
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
        if ((wants_http(s) || config.has_http) && workers_need_restart(&s->config, &config))
                log_warn(&s->log,
                         "reload: the addresses of http, or gateway_workers, have changed, which takes effect at "
                         "the next start");
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
        int64_t now = clock_ms(), next = now + keeper_timeout(&s->keeper);

        if (workers_next_ms(&s->workers) < next)
                next = workers_next_ms(&s->workers);
        if (ending_next_ms(&s->ending) < next)
                next = ending_next_ms(&s->ending);
        return next < now + 10 ? 10 : (int)(next - now);
}

static void reap(struct supervisor *s)
{
        int status;
        pid_t pid;
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
                if (!workers_died(&s->workers, pid, status))
                        keeper_died(&s->keeper, pid, status);
}

static void one_round(struct supervisor *s)
{
        struct pollfd fds[2 + CONFIG_MAX_WORKERS] = {
                { .fd = s->signals, .events = POLLIN },
                { .fd = s->keeper.control, .events = POLLIN },
        };
        size_t n_workers = workers_watch(&s->workers, fds + 2);
        if (poll(fds, 2 + n_workers, timeout(s)) < 0)
                return;
        if (fds[0].revents)
                on_signal(s);
        workers_hear(&s->workers, fds + 2, n_workers);
        reap(s);
        if (fds[1].revents && s->keeper.control == fds[1].fd)
                keeper_hear(&s->keeper);
        say_ready(s);
        give_up_if_hopeless(s);
        if (s->ending.part == ENDING_NONE && upgrade_is_over(&s->upgrade, clock_ms()))
                look_at_compilers(s);
        ending_go_on(&s->ending);
        if (s->keeper.stopping && !keeper_pool_runs(&s->keeper))
                close_listeners(s); /* no pool will take new connections any more */
        keeper_do_due(&s->keeper);
        workers_do_due(&s->workers);
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
                return err_set(e, errno, "block signals");
        s->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
        if (s->signals < 0)
                return err_set(e, errno, "make a descriptor for signals");
        /* Orphans of a killed zygote become children of the supervisor, and the supervisor reaps them. In a container
         * there may be no other process that reaps. */
        if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
                return err_set(e, errno, "become the parent of orphans");

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
        if (r == 0) {
                leftovers_remove(&s->cgroups, &s->instance, &s->log);
                poolsocket_remove_leftovers(&s->instance, &s->log);
        }
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
        return r < 0 ? r : open_gateway(s, e);
}

/* Waits until killed processes have ended. */
static void wait_for_the_dead(struct supervisor *s)
{
        struct err e = { 0 };
        int64_t until = clock_ms() + CLEAN_MS;
        int r;

        for (;;) {
                reap(s);
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
        workers_fini(&s->workers);
        poolsocket_close(&s->poolsocket);
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
                .trusted = &s.trusted,
        };
        s.workers_settings = (struct workers_settings){
                .log = &s.log,
                .config = &s.config,
                .instance = &s.instance,
                .directory = &s.poolsocket.directory,
        };
        s.ending = (struct ending){ .log = &s.log, .config = &s.config, .keeper = &s.keeper, .workers = &s.workers };
        keeper_init(&s.keeper, &s.settings);
        poolsocket_init(&s.poolsocket);
        workers_init(&s.workers, &s.workers_settings);
        signal(SIGPIPE, SIG_IGN); /* the reader of the log may go away */
        if (prepare(&s, &e) < 0) {
                log_error(&s.log, "%s", e.text);
                s.status = 1;
        } else {
                upgrade_init(&s.upgrade, clock_ms());
                keeper_configure(&s.keeper);
                keeper_do_due(&s.keeper);
                workers_do_due(&s.workers);
                while (!s.keeper.stopping || !keeper_is_empty(&s.keeper) || !workers_are_gone(&s.workers))
                        one_round(&s);
        }
        clean_up(&s);
        return s.status;
}
