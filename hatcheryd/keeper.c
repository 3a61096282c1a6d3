/* Keeping processes: see keeper.h. */
#include "hatcheryd/keeper.h"

#include "hatcheryd/home.h"
#include "hatcheryd/places.h"
#include "hatcheryd/role.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"
#include "proto/ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum {
        SETTLED_MS = 1000,   /* a process that was ready and lived this long did not fail to start */
        CLEAN_MS = 3000,     /* time in which all sandboxes of a dead zygote should be gone */
        SWEEP_MS = 10,       /* pause between two attempts to remove their cgroups */
        SWEEP_LATE_MS = 500, /* the same pause, after CLEAN_MS */
        ORPHAN_MS = 1000,    /* a zygote that lives so long after its pool's death is killed */
        TICK_MS = 1000,
        MAX_FAILED_STARTS = 5,
        POOL_SILENT_TICKS = 15 /* a pool that is silent this long hangs; a healthy one sends a message every second */
};

void keeper_init(struct keeper *k, const struct keeper_settings *settings)
{
        *k = (struct keeper){ .settings = settings, .control = -1, .pool.process.pidfd = -1 };
        for (size_t i = 0; i < KEEPER_MAX_LANGUAGES; i++)
                places_free(&k->languages[i]);
}

static void close_control(struct keeper *k)
{
        own_close(&k->control);
        k->control = -1;
}

void keeper_fini(struct keeper *k)
{
        close_control(k);
}

bool keeper_pool_runs(const struct keeper *k)
{
        return k->pool.process.pid > 0;
}

bool keeper_is_empty(const struct keeper *k)
{
        for (size_t i = 0; i < KEEPER_MAX_LANGUAGES; i++)
                for (size_t side = 0; side < KEEPER_SIDES; side++)
                        if (k->languages[i].side[side].process.pid > 0)
                                return false;
        return !keeper_pool_runs(k);
}

void keeper_kill_all(const struct keeper *k)
{
        process_kill(&k->pool.process, SIGKILL);
        for (size_t i = 0; i < KEEPER_MAX_LANGUAGES; i++)
                for (size_t side = 0; side < KEEPER_SIDES; side++)
                        process_kill(&k->languages[i].side[side].process, SIGKILL);
}

int keeper_tell(struct keeper *k, const struct control *c, int fd, struct err *e)
{
        if (k->control < 0)
                return err_say(e, EPIPE, "there is no pool");
        return channel_send(k->control, c, sizeof *c, &fd, fd >= 0 ? 1 : 0, e);
}

/* ---------------------------------------------------------------- languages come and go */

void keeper_configure(struct keeper *k)
{
        places_assign(k);
}

bool keeper_is_hopeless(const struct keeper *k)
{
        if (k->failed_pools >= MAX_FAILED_STARTS)
                return true;
        for (size_t i = 0; i < KEEPER_MAX_LANGUAGES; i++) {
                const struct kept_language *l = &k->languages[i];
                if (l->name[0] && !l->leaving && l->failed_starts < MAX_FAILED_STARTS)
                        return false;
        }
        return true;
}

/* ---------------------------------------------------------------- starting */

static int start_pool(struct keeper *k, struct err *e)
{
        const struct keeper_settings *s = k->settings;
        struct role_pool role = {
                .uid = s->instance->pool_uid,
                .config_fd = s->config_fd,
                .listeners = s->listeners,
                .n_listeners = s->n_listeners,
                .trusted = s->trusted,
                .n_trusted = s->n_trusted,
                .cache_fd = s->cache_fd,
        };
        OWN_FD int control = -1;

        int r = role_start_pool(&k->pool.process, &role, &control, e);
        if (r < 0)
                return r;
        if (fcntl(control, F_SETFL, O_NONBLOCK) < 0) /* a pool that hangs must not block the supervisor, which has to
                                                      * kill it */
                return err_set(e, errno, "a non-blocking socket");
        close_control(k);
        k->control = own_steal_fd(&control);
        k->pool.came_up = false;
        k->pool.started_ms = clock_ms();
        k->tick_ms = k->pool.started_ms + TICK_MS;
        k->pool_silent = 0;
        for (size_t i = 0; i < KEEPER_MAX_LANGUAGES; i++)
                k->languages[i].wanted = k->languages[i].name[0] && !k->languages[i].leaving;
        return 0;
}

enum { NAME_SIZE = 64 };

/* The prefix of the names of a side's cgroups. No language has a dot in its name. */
static void name_side(char name[NAME_SIZE], const char *language, size_t side)
{
        snprintf(name, NAME_SIZE, "%s.%c", language, (char)('a' + side));
}

/* Finds a side without a process and without leftovers of a former one, if possible not the side that was used last. -1
 * if there is none. */
static int find_side(const struct kept_language *l)
{
        for (size_t i = 0; i < KEEPER_SIDES; i++) {
                size_t side = (l->generation + i) % KEEPER_SIDES;
                if (l->side[side].process.pid == 0 && !l->side[side].unclean)
                        return (int)side;
        }
        return -1;
}

/* Finds the library of a plug-in. A language that is data has none. */
static int find_program(const struct keeper_settings *s, const struct config_language *language, char *plugin,
                        size_t size, struct err *e)
{
        char file[80];
        if (language->data)
                return 0;
        snprintf(file, sizeof file, "hatchery-lang-%s.so", language->runtime);
        return home_find(s->program_directory, file, plugin, size, e);
}

static int start_zygote(struct keeper *k, size_t index, size_t side, struct err *e)
{
        const struct keeper_settings *s = k->settings;
        struct kept_language *l = &k->languages[index];
        const struct config_language *language = config_find_language(s->config, l->name);
        char plugin[HOME_PATH_SIZE], init[HOME_PATH_SIZE], files[HOME_PATH_SIZE], group[NAME_SIZE];
        OWN_FD int channel = -1;

        if (!language)
                return err_say(e, ENOENT, "it is not configured");
        int r = find_program(s, language, plugin, sizeof plugin, e);
        if (r == 0)
                r = home_find(s->program_directory, "hatchery-init", init, sizeof init, e);
        if (r < 0)
                return r;
        bool has_files = language->data && home_languages(s->program_directory, files, NULL) == 0;

        name_side(group, language->name, side);
        struct role_zygote role = {
                .language = language,
                .plugin = language->data ? NULL : plugin,
                .init = init,
                .files = has_files ? files : NULL,
                .cache = s->config->cache,
                .faults = s->faults,
                .group = group,
                .uid_base = s->instance->sandbox_uid + (uint32_t)index * INSTANCE_LANGUAGE_UIDS +
                            (uint32_t)side * INSTANCE_SIDE_UIDS,
                .inodes = s->config->inodes,
                .disk = s->disk,
                .disk_read = s->config->disk_read,
                .log_level = s->config->log_level,
                .cgroups = s->cgroups,
        };
        struct kept *z = &l->side[side];
        r = role_start_zygote(&z->process, &role, &channel, e);
        if (r < 0)
                return r;
        z->started_ms = clock_ms();
        z->kill_at_ms = 0;
        z->came_up = false;
        z->unclean = false;
        z->generation = ++l->generation;
        struct control c = { .kind = CONTROL_ZYGOTE, .generation = z->generation };
        snprintf(c.language, sizeof c.language, "%s", language->name);
        return keeper_tell(k, &c, channel, e); /* if the pool does not take the zygote, the zygote finds its channel
                                                * closed */
}

static void start_zygotes(struct keeper *k, int64_t now)
{
        for (size_t i = 0; i < KEEPER_MAX_LANGUAGES; i++) {
                struct kept_language *l = &k->languages[i];
                struct err e = { 0 };
                if (!l->wanted || l->leaving || now < l->pace.not_before_ms)
                        continue;
                int side = find_side(l);
                if (side < 0)
                        continue; /* a side becomes free when its process dies and is cleaned up */
                if (start_zygote(k, i, (size_t)side, &e) == 0) {
                        l->wanted = false;
                        continue;
                }
                log_error(k->settings->log, "the zygote for %s: %s", l->name, e.text);
                l->failed_starts++;
                pace_failed(&l->pace, now);
        }
}

/* ---------------------------------------------------------------- the cgroups of dead zygotes */

static void sweep_side(const struct keeper *k, const char *language, size_t side, struct kept *z, int64_t now)
{
        char name[NAME_SIZE];
        struct err e = { 0 };

        if (!z->unclean || now < z->sweep_at_ms)
                return;
        name_side(name, language, side);
        if (cgroup_remove_slots(k->settings->cgroups, name, &e) == 0) {
                z->unclean = false;
                return;
        }
        bool is_late = now >= z->sweep_by_ms;
        z->sweep_at_ms = now + (is_late ? SWEEP_LATE_MS : SWEEP_MS);
        if (!is_late || z->sweep_by_ms == 0)
                return;
        log_error(k->settings->log, "%s can't be used again yet: %s", name, e.text);
        z->sweep_by_ms = 0;
}

static void sweep(struct keeper *k, int64_t now)
{
        for (size_t i = 0; i < KEEPER_MAX_LANGUAGES; i++) {
                struct kept_language *l = &k->languages[i];
                for (size_t side = 0; side < KEEPER_SIDES; side++)
                        sweep_side(k, l->name, side, &l->side[side], now);
                places_let_go(k, l);
        }
}

/* ---------------------------------------------------------------- processes that are overdue or hang */

static void kill_overdue(struct keeper *k, int64_t now)
{
        for (size_t i = 0; i < KEEPER_MAX_LANGUAGES; i++)
                for (size_t side = 0; side < KEEPER_SIDES; side++) {
                        const struct kept *z = &k->languages[i].side[side];
                        if (z->process.pid > 0 && z->kill_at_ms > 0 && now >= z->kill_at_ms)
                                process_kill(&z->process, SIGKILL);
                }
}

/* Counts ticks instead of time. If this process was stopped, the pool was probably stopped, too. Then the pool must get
 * time to send a message. */
static void watch_pool(struct keeper *k, int64_t now)
{
        if (!keeper_pool_runs(k) || now < k->tick_ms)
                return;
        k->tick_ms = now + TICK_MS;
        if (++k->pool_silent < POOL_SILENT_TICKS)
                return;
        log_error(k->settings->log, "the pool has said nothing for %d s, and is killed", POOL_SILENT_TICKS);
        process_kill(&k->pool.process, SIGKILL);
        k->pool_silent = 0;
}

void keeper_do_due(struct keeper *k)
{
        struct err e = { 0 };
        int64_t now = clock_ms();

        kill_overdue(k, now);
        watch_pool(k, now);
        if (k->stopping)
                return;
        sweep(k, now);
        if (!keeper_pool_runs(k) && now >= k->pool_pace.not_before_ms && start_pool(k, &e) < 0) {
                log_error(k->settings->log, "%s", e.text);
                pace_failed(&k->pool_pace, now);
        }
        if (keeper_pool_runs(k) && k->control >= 0)
                start_zygotes(k, now);
}

static void sooner(int64_t *next, int64_t when)
{
        if (when < *next)
                *next = when;
}

int keeper_timeout(const struct keeper *k)
{
        int64_t now = clock_ms(), next = now + 60000;
        bool starts = keeper_pool_runs(k) && !k->stopping;

        if (keeper_pool_runs(k))
                sooner(&next, k->tick_ms);
        else if (!k->stopping)
                sooner(&next, k->pool_pace.not_before_ms);
        for (size_t i = 0; i < KEEPER_MAX_LANGUAGES; i++) {
                const struct kept_language *l = &k->languages[i];
                if (l->wanted && !l->leaving && starts && l->pace.not_before_ms > now)
                        sooner(&next, l->pace.not_before_ms);
                for (size_t side = 0; side < KEEPER_SIDES; side++) {
                        const struct kept *z = &l->side[side];
                        if (z->process.pid > 0 && z->kill_at_ms > 0)
                                sooner(&next, z->kill_at_ms);
                        if (z->unclean && !k->stopping)
                                sooner(&next, z->sweep_at_ms);
                }
        }
        return next <= now ? SWEEP_MS : (int)(next - now);
}

/* ---------------------------------------------------------------- deaths */

static void say_death(const struct keeper *k, const char *who, int status)
{
        bool by_us = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        if (k->stopping && (status == 0 || by_us))
                return;
        if (WIFSIGNALED(status))
                log_error(k->settings->log, "%s was killed by signal %d", who, WTERMSIG(status));
        else
                log_error(k->settings->log, "%s exited with status %d", who, WEXITSTATUS(status));
}

static bool has_settled(const struct kept *p)
{
        return p->came_up && clock_ms() - p->started_ms >= SETTLED_MS;
}

static void on_pool_death(struct keeper *k, int status)
{
        int64_t now = clock_ms();

        say_death(k, "the pool", status);
        process_ended(&k->pool.process);
        close_control(k);
        for (size_t i = 0; i < KEEPER_MAX_LANGUAGES && !k->stopping; i++)
                for (size_t side = 0; side < KEEPER_SIDES; side++)
                        k->languages[i].side[side].kill_at_ms = now + ORPHAN_MS;
        if (has_settled(&k->pool))
                pace_settled(&k->pool_pace);
        pace_failed(&k->pool_pace, now);
        k->failed_pools++;
}

/* A zygote that exits with 0 was told to end, or its pool is dead. The pool asks when it needs another zygote. */
static void on_zygote_death(struct keeper *k, size_t index, struct kept *z, int status)
{
        struct kept_language *l = &k->languages[index];
        char who[96];

        process_ended(&z->process);
        z->unclean = true;
        z->sweep_at_ms = clock_ms();
        z->sweep_by_ms = z->sweep_at_ms + CLEAN_MS;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
                if (z->came_up)
                        pace_settled(&l->pace);
                return;
        }
        if (l->leaving)
                return; /* it was killed during its start */
        snprintf(who, sizeof who, "the zygote for %s (generation %u)", l->name, z->generation);
        say_death(k, who, status);
        if (has_settled(z))
                pace_settled(&l->pace);
        pace_failed(&l->pace, clock_ms());
        if (!z->came_up && z->kill_at_ms == 0) /* else it died with the pool, and that is counted */
                l->failed_starts++;
}

void keeper_died(struct keeper *k, pid_t pid, int status)
{
        if (pid == k->pool.process.pid)
                on_pool_death(k, status);
        for (size_t i = 0; i < KEEPER_MAX_LANGUAGES; i++)
                for (size_t side = 0; side < KEEPER_SIDES; side++)
                        if (pid == k->languages[i].side[side].process.pid)
                                on_zygote_death(k, i, &k->languages[i].side[side], status);
}

/* ---------------------------------------------------------------- what the pool says */

static struct kept *find_zygote(struct kept_language *l, uint32_t generation)
{
        for (size_t side = 0; l && side < KEEPER_SIDES; side++)
                if (l->side[side].process.pid > 0 && l->side[side].generation == generation)
                        return &l->side[side];
        return NULL;
}

void keeper_hear(struct keeper *k)
{
        struct control c;
        struct err e = { 0 };
        size_t n_fds;

        int r = channel_recv(k->control, &c, sizeof c, NULL, 0, &n_fds, &e);
        if (r == -EAGAIN)
                return;
        if (r <= 0) { /* the pool is dying; its death will be reported */
                close_control(k);
                return;
        }
        k->pool.came_up = true;
        k->pool_silent = 0;
        c.language[sizeof c.language - 1] = '\0';
        struct kept_language *l = places_find(k, c.language);
        struct kept *z = find_zygote(l, c.generation);
        if (c.kind == CONTROL_READY)
                k->ready = true;
        else if (c.kind == CONTROL_RENEW && l)
                l->wanted = true;
        else if (c.kind == CONTROL_SERVES && z) {
                z->came_up = true;
                l->failed_starts = 0;
        } else if (c.kind == CONTROL_KILL && z)
                process_kill(&z->process, SIGKILL);
}
