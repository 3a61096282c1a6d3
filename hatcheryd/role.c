/* Starting roles: see role.h. */
#include "hatcheryd/role.h"

#include "proto/base/own.h"
#include "proto/ipc/control.h"
#include "zygote/base/ceilings.h"
#include "zygote/base/image.h"
#include "zygote/host/usr_disk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A command line. The words are borrowed. */
struct arguments {
        char *at[48 + 2 * ROLE_MAX_PRELOAD];
        size_t n;
};

static void argument(struct arguments *a, const char *word)
{
        a->at[a->n++] = (char *)word; /* exec does not write to it, despite its type */
        a->at[a->n] = NULL;
}

static void option(struct arguments *a, const char *name, const char *value)
{
        argument(a, name);
        argument(a, value);
}

/* Each process runs from its own copy of this program. A sandbox can name its zygote's copy as /proc/self/exe. It may
 * not open that copy, since all other sandboxes would see a lock on it. The copies of the pool and of the
 * gateway are readable, because a sanitizer in an unprivileged process looks for the names of functions there. */
enum { POOL_MODE = S_IRUSR | S_IXUSR | S_IRGRP | S_IXGRP | S_IROTH | S_IXOTH, ZYGOTE_MODE = S_IRUSR | S_IXUSR };

static int own_program(mode_t mode, struct err *e)
{
        return image_copy("/proc/self/exe", "hatcheryd", mode, e);
}

int role_own_program(struct err *e)
{
        return own_program(POOL_MODE, e);
}

int role_make_pair(int *ours, int *theirs, struct err *e)
{
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return err_set(e, errno, "a socket pair");
        *ours = pair[0];
        *theirs = pair[1];
        return 0;
}

int role_start_pool(struct process *p, const struct role_pool *role, int *control, struct err *e)
{
        int fds[POOL_FD_FIRST_LISTENER - POOL_FD_CONTROL + ROLE_MAX_LISTENERS];
        char uid[16], listeners[16], trusted[TRUSTED_MAX][TRUSTED_ARG_SIZE];
        struct arguments a = { .n = 0 };
        OWN_FD int ours = -1;
        OWN_FD int theirs = -1;
        size_t n = 0;

        int r = role_make_pair(&ours, &theirs, e);
        if (r < 0)
                return r;
        fds[n++] = theirs;
        fds[n++] = role->config_fd;
        fds[n++] = role->cache_fd >= 0 ? role->cache_fd : role->config_fd; /* without a cache: a placeholder */
        for (size_t i = 0; i < role->n_listeners && i < ROLE_MAX_LISTENERS; i++)
                fds[n++] = role->listeners[i].fd;

        snprintf(uid, sizeof uid, "%u", role->uid);
        snprintf(listeners, sizeof listeners, "%zu", role->n_listeners);
        argument(&a, "hatcheryd");
        argument(&a, "--role=pool");
        option(&a, "--uid", uid);
        option(&a, "--listeners", listeners);
        for (size_t i = 0; i < role->n_trusted && i < TRUSTED_MAX; i++) {
                trusted_to_arg(&role->trusted[i], trusted[i]);
                option(&a, "--trusted", trusted[i]);
        }
        if (role->cache_fd >= 0)
                argument(&a, "--has-cache");
        OWN_FD int program = role_own_program(e);
        if (program < 0)
                return program;
        r = process_start(p, program, a.at, fds, n, e);
        if (r == 0)
                *control = own_steal_fd(&ours);
        return r;
}

/* Writes the section of a language's runtime into a memory file, with the language's own limits. */
static int runtime_fd(const struct config_language *language, struct err *e)
{
        struct config_runtime runtime = *language->data; /* only the limits are its own */
        memcpy(runtime.standard, language->standard, sizeof runtime.standard);
        memcpy(runtime.ceiling, language->ceiling, sizeof runtime.ceiling);
        OWN_MEM char *text = config_runtime_text(&runtime);
        OWN_FD int fd = text ? memfd_create("hatchery-runtime", MFD_CLOEXEC) : -1;
        if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
                return err_set(e, text ? errno : ENOMEM, "keeping a runtime");
        return own_steal_fd(&fd);
}

/* The options that tell a zygote about its language. */
static void language_options(struct arguments *a, const struct role_zygote *role)
{
        const struct config_language *language = role->language;
        struct stat st;

        option(a, "--language", language->name);
        option(a, "--runtime", language->runtime);
        if (role->plugin)
                option(a, "--plugin", role->plugin);
        if (role->files)
                option(a, "--files", role->files);
        option(a, "--cache", role->cache);
        if (stat(language->packages, &st) == 0 && S_ISDIR(st.st_mode))
                option(a, "--packages", language->packages);
        for (size_t i = 0; i < language->n_preload && i < ROLE_MAX_PRELOAD; i++)
                option(a, "--preload", language->preload[i]);
}

/* The highest limits that the pool may order. If the language has two stages, the larger value of both counts. */
static void find_ceilings(const struct config_language *language, char arg[CEILINGS_ARG_SIZE])
{
        int64_t most[LIMIT_COUNT];

        config_most(language, most);
        const struct ceilings c = {
                .memory_bytes = most[LIMIT_MEMORY],
                .disk_bytes = most[LIMIT_DISK],
                .pids = most[LIMIT_PIDS],
        };
        ceilings_to_arg(&c, arg);
}

int role_start_zygote(struct process *p, const struct role_zygote *role, int *channel, struct err *e)
{
        char uid[16], inodes[16], level[16], ceilings[CEILINGS_ARG_SIZE];
        char cgroups[CGROUP_MAX_HIERARCHIES][CGROUP_ARG_SIZE], disk_read[USR_DISK_LIMIT_SIZE];
        bool limits_reads = role->disk[0] != '\0' && role->disk_read > 0;
        struct arguments a = { .n = 0 };
        OWN_FD int ours = -1;
        OWN_FD int theirs = -1;
        OWN_FD int runtime = -1;

        find_ceilings(role->language, ceilings);
        snprintf(uid, sizeof uid, "%u", role->uid_base);
        snprintf(inodes, sizeof inodes, "%u", role->inodes);
        snprintf(level, sizeof level, "%d", (int)role->log_level);
        argument(&a, "hatcheryd");
        argument(&a, "--role=zygote");
        language_options(&a, role);
        option(&a, "--init", role->init);
        option(&a, "--group", role->group);
        option(&a, "--ceilings", ceilings);
        option(&a, "--uid", uid);
        option(&a, "--inodes", inodes);
        option(&a, "--log-level", level);
        if (role->faults)
                option(&a, "--faults", role->faults);
        if (limits_reads) {
                usr_disk_limit(role->disk, role->disk_read, cgroup_version(role->cgroups, CGROUP_BLKIO) == 2,
                               disk_read);
                option(&a, "--disk-read", disk_read);
        }
        for (size_t i = 0; i < role->cgroups->n; i++) {
                if (role->cgroups->at[i].controllers == CGROUP_BLKIO && !limits_reads)
                        continue; /* each sandbox would take time to join this hierarchy, too */
                hierarchy_to_arg(&role->cgroups->at[i], cgroups[i]);
                option(&a, "--cgroup", cgroups[i]);
        }

        if (role->language->data) {
                runtime = runtime_fd(role->language, e);
                if (runtime < 0)
                        return runtime;
        }
        OWN_FD int program = own_program(ZYGOTE_MODE, e);
        if (program < 0)
                return program;
        int r = role_make_pair(&ours, &theirs, e);
        const int fds[] = { theirs, runtime };
        if (r == 0)
                r = process_start(p, program, a.at, fds, runtime >= 0 ? 2 : 1, e);
        if (r == 0)
                *channel = own_steal_fd(&ours);
        return r;
}

int role_read_runtime(struct config *config, struct err *e)
{
        OWN_FD int fd = ROLE_FD_RUNTIME;
        OWN_MEM char *text = NULL;

        int r = config_read_fd(fd, &text, e);
        if (r == 0)
                r = config_load(config, text, "the runtime", e);
        if (r < 0 || config->n_runtimes == 1)
                return r;
        config_fini(config);
        return err_say(e, EINVAL, "the text must have exactly one runtime");
}

void role_command(struct lang_command *c, const struct config_runtime *r)
{
        *c = (struct lang_command){
                .kind = r->kind,
                .name = r->name,
                .aliases = r->aliases,
                .main_file = r->main_file,
                .extensions = r->extensions,
                .version = r->version,
                .compile = r->compile,
                .artifacts = r->artifacts,
                .run = r->run,
                .warm = r->warm,
                .fresh = r->fresh,
                .prompt = r->prompt,
                .memory_bytes = (uint64_t)r->standard[LIMIT_MEMORY],
                .env = r->env,
                .extra_calls = (const char *const *)r->extra_calls,
                .links = (const char *const *)r->links,
                .echoes = r->echoes,
        };
}
