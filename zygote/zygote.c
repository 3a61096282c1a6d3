/* The zygote: see zygote.h. */
#include "zygote/zygote.h"

#include "lang/lang.h"
#include "proto/channel.h"
#include "proto/own.h"
#include "zygote/creds.h"
#include "zygote/guard.h"
#include "zygote/hugetext.h"
#include "zygote/image.h"
#include "zygote/leaks.h"
#include "zygote/prepare.h"
#include "zygote/root.h"
#include "zygote/serve.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

struct zygote {
        const struct zygote_options *options;
        struct log log;
        char who[48];
        const struct lang *lang;
        struct lang of_command; /* where the language is data */
        struct lang_setup setup;
        struct lang_warmed warmed;
        char prepared[PREPARE_PATH_SIZE];
        struct sandbox_maker maker;
        int report[2]; /* where the zygote reads, where children write */
};

static int find_language(const char *path, const char *name, const struct lang **lang, struct err *e)
{
        void *handle = dlopen(path, RTLD_NOW | RTLD_GLOBAL); /* global: the interpreter's own extensions need it */
        if (!handle) {
                const char *why = dlerror();
                bool missing = strstr(why, "cannot open shared object file") != NULL;
                return err_say(e, missing ? ENOENT : ELIBBAD, "loading the language: %s", why);
        }
        *lang = dlsym(handle, LANG_SYMBOL);
        if (!*lang || (*lang)->abi != LANG_ABI || strcmp((*lang)->name, name) != 0)
                return err_say(e, EINVAL, "the plug-in for %s is not of this version", name);
        return 0;
}

/* A library for numbers that comes with an interpreter (R's) starts a thread for each processor when it is loaded,
 * unless these variables say otherwise, and no sandbox would have them. They go with the rest of the environment. */
static int forbid_threads(struct err *e)
{
        static const char *const variables[] = { "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS" };
        for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
                if (setenv(variables[i], "1", 1) < 0)
                        return err_set(e, errno, "the environment");
        return 0;
}

/* From a copy in memory. Its path is one that no program uses for a file of its own: the dynamic linker compares paths
 * before it looks at files. */
static int load_language(struct zygote *z, struct err *e)
{
        char name[64], path[64];
        if (z->options->command) {
                z->of_command = lang_command_vtable(z->options->command);
                z->lang = &z->of_command;
                return 0;
        }
        int r = forbid_threads(e);
        if (r < 0)
                return r;
        snprintf(name, sizeof name, "hatchery-lang-%s", z->options->language);
        OWN_FD int plugin = image_copy(z->options->plugin, name, S_IRUSR | S_IXUSR, e);
        if (plugin < 0)
                return plugin;
        snprintf(path, sizeof path, "/proc/self/./fd/%d", plugin);
        return find_language(path, z->options->runtime, &z->lang, e);
}

static int prepare_language(struct zygote *z, struct err *e)
{
        const struct zygote_options *o = z->options;
        const struct prepare p = {
                .language = o->language,
                .command = o->prepare,
                .env = o->command ? o->command->env : NULL,
                .files = o->files,
                .cache = o->cache,
                .log = &z->log,
        };
        return o->prepare && *o->prepare ? prepare_directory(&p, z->prepared, e) : 0;
}

/* What sandboxes see of the host besides /usr. */
static int choose_paths(struct zygote *z, struct err *e)
{
        const struct zygote_options *o = z->options;
        struct paths *paths = &z->maker.boot.paths;
        int r = o->packages ? paths_add(paths, o->packages, LANG_PACKAGES, e) : 0;
        char closed[NAME_MAX + 1];
        /* The zygote itself reads all, and would preload what a program then can't load. */
        if (r == 0 && o->packages && paths_find_closed(o->packages, closed))
                log_warn(&z->log, "packages: programs can't read %s/%s, and perhaps others; they are another user's",
                         o->packages, closed);
        if (r == 0 && o->files)
                r = paths_add(paths, o->files, LANG_FILES, e);
        if (r == 0 && z->prepared[0])
                r = paths_add(paths, z->prepared, LANG_PREPARED, e);
        for (char *const *path = o->paths; path && *path && r == 0; path++)
                r = paths_add(paths, *path, *path, e);
        for (const char *const *path = z->lang->paths; path && *path && r == 0; path++)
                if (access(*path, F_OK) == 0)
                        r = paths_add(paths, *path, *path, e);
        return r;
}

/* What is on the host's paths is opened before they are left behind. */
static int take_from_host(struct zygote *z, struct err *e)
{
        const struct zygote_options *o = z->options;
        if (o->faults) {
                int opened = faults_open(&z->maker.boot.faults, o->faults, e);
                if (opened < 0)
                        return opened;
                z->maker.slots.faults = z->maker.boot.faults;
                log_warn(&z->log, "faults are injected from %s: walls may be missing, this is no server for strangers",
                         o->faults);
        }
        int r = prepare_language(z, e);
        if (r == 0)
                r = load_language(z, e);
        if (r == 0)
                r = choose_paths(z, e);
        if (r < 0)
                return r;

        z->maker.slots.init_program = open(o->init_program, O_PATH | O_CLOEXEC);
        if (z->maker.slots.init_program < 0)
                return err_set(e, errno, "open %s", o->init_program);
        z->maker.slots.uid_base = o->uid_base;
        r = cgroup_base_init(&z->maker.slots.cgroups, o->cgroups, o->n_cgroups, o->group, e);
        return r < 0 ? r : cgroup_slot_init(&z->maker.slots.inits, &z->maker.slots.cgroups, CGROUP_SLOT_INITS, e);
}

/* The kernel shows a process's first arguments and environment to whoever reads /proc/self, and every sandbox inherits
 * ours: options that name paths of the host, and the environment of whoever started the server. */
static int wipe_start_memory(const char *title, struct err *e)
{
        char text[2048];
        unsigned long start = 0, end = 0;
        OWN_FD int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        if (n <= 0)
                return err_set(e, errno, "read /proc/self/stat");
        text[n] = '\0';

        /* Field 48 is arg_start, 51 env_end; the name in parentheses, field 2, may hold anything. */
        char *at = strrchr(text, ')');
        for (int field = 3; at && field <= 51; field++) {
                at = strchr(at + 1, ' ');
                if (at && field == 48)
                        start = strtoul(at + 1, NULL, 10);
                if (at && field == 51)
                        end = strtoul(at + 1, NULL, 10);
        }
        size_t len = strlen(title) + 1;
        if (!at || start == 0 || end < start + len)
                return err_say(e, EPROTO, "/proc/self/stat does not tell where the arguments are");
        char *memory = (char *)start; /* NOLINT(performance-no-int-to-ptr): the kernel gives addresses as numbers */
        memset(memory, 0, end - start);
        memcpy(memory, title, len);
        return 0;
}

/* What making sandboxes takes, and no more; it also bounds what hatchery-init starts with. */
static const int kept_capabilities[] = {
        CAP_SYS_ADMIN,  /* namespaces and mounts */
        CAP_SYS_CHROOT, /* the same: a process that changes its mount namespace changes its root */
        CAP_SYS_PTRACE, /* to open the namespaces of an init and the mounts of a sandbox */
        CAP_SETUID,
        CAP_SETGID,
        CAP_SETPCAP,
        CAP_KILL,  /* the way down to another user, and its end */
        CAP_CHOWN, /* the work directory and the pipes */
        /* The work directory again, which its program may have closed to others. (Reading would do, were it not for
         * tests that take walls down: their programs are laid out there by root.) */
        CAP_DAC_OVERRIDE,
};

static int limit_capabilities(struct err *e)
{
        unsigned long long keep = 0;
        for (size_t i = 0; i < sizeof kept_capabilities / sizeof kept_capabilities[0]; i++)
                keep |= 1ull << kept_capabilities[i];
        int r = creds_limit_capabilities(keep);
        return r < 0 ? err_set(e, -r, "dropping capabilities") : 0;
}

static int limit_system_calls(const struct lang *lang, const struct faults *faults, struct err *e)
{
        struct seccomp_program outer;
        int r;

        /* A sandbox inherits this half of the filter, so whoever wants it to have none wants none here. */
        if (faults_find(faults, "system calls", &r) == FAULT_SKIP)
                return 0;
        r = seccomp_program_build(&outer, SECCOMP_OUTER, lang->extra_calls, e);
        if (r < 0)
                return r;
        r = seccomp_program_load(&outer);
        seccomp_program_fini(&outer);
        return r < 0 ? err_set(e, -r, "loading the zygote's seccomp filter") : 0;
}

static int set_environment(struct err *e)
{
        static const char *const environment[][2] = {
                { "PATH", "/usr/local/bin:/usr/bin:/bin" },
                { "HOME", ROOT_HOME },
                { "USER", "sandbox" },
                { "LOGNAME", "sandbox" },
                { "LANG", "C.UTF-8" },
        };
        if (clearenv() != 0)
                return err_set(e, ENOMEM, "the environment");
        for (size_t i = 0; i < sizeof environment / sizeof environment[0]; i++)
                if (setenv(environment[i][0], environment[i][1], 1) < 0)
                        return err_set(e, errno, "the environment");
        return 0;
}

/* Interpreters look at their standard streams once, at the start, and remember what they saw: whether they can seek,
 * how large a block is. In a sandbox these are pipes, so here they are too. The log moves out of their way. */
static int set_standard_streams(struct zygote *z, struct err *e)
{
        z->log.fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 16);
        if (z->log.fd < 0)
                return err_set(e, errno, "the log's descriptor");
        leaks_report_to(z->log.fd);
        for (int fd = 0; fd < 3; fd++) {
                int ends[2];
                if (pipe2(ends, O_CLOEXEC) < 0)
                        return err_set(e, errno, "a pipe");
                int ours = fd == 0 ? ends[0] : ends[1];
                if (dup2(ours, fd) < 0)
                        return err_set(e, errno, "a standard stream");
                close(ours);
                /* The other end stays open, close-on-exec, so that nothing written here ever raises SIGPIPE. */
        }
        return 0;
}

/* Where libc keeps what its own fork would renew in the child; see sandbox.c. */
static int find_thread_state(struct sandbox_maker *maker, struct err *e)
{
        int *tid = NULL;
        void *head = NULL;
        size_t size = 0;
        if (prctl(PR_GET_TID_ADDRESS, &tid, 0, 0, 0) < 0)
                return err_set(e, errno, "PR_GET_TID_ADDRESS (the kernel needs CONFIG_CHECKPOINT_RESTORE)");
        if (syscall(SYS_get_robust_list, 0, &head, &size) < 0)
                return err_set(e, errno, "get_robust_list");
        maker->tid_address = (uint64_t)(uintptr_t)tid;
        maker->robust_list.head = (uint64_t)(uintptr_t)head;
        maker->robust_list.size = size;
        return 0;
}

/* A slot takes up to 30 descriptors, and the usual soft limit is 1,024. A sandbox gets its own limit with its job. */
static int raise_open_files(struct err *e)
{
        struct rlimit files;
        if (getrlimit(RLIMIT_NOFILE, &files) < 0)
                return err_set(e, errno, "the limit of open files");
        files.rlim_cur = files.rlim_max;
        return setrlimit(RLIMIT_NOFILE, &files) < 0 ? err_set(e, errno, "raising the limit of open files") : 0;
}

/* Locks that another thread holds at a fork are never released in the child. */
static void warn_of_threads(const struct log *log)
{
        DIR *tasks = opendir("/proc/self/task");
        int n = 0;
        for (struct dirent *d; tasks && (d = readdir(tasks));)
                n += d->d_name[0] != '.';
        if (tasks)
                closedir(tasks);
        if (n > 1)
                log_warn(log, "threads besides the main one, started by what is preloaded: %d; no program has them",
                         n - 1);
}

static int warm_language(struct zygote *z, struct err *e)
{
        signal(SIGPIPE, SIG_DFL); /* as a program finds it; interpreters change it as they see fit */
        int r = z->lang->warm(&z->setup, &z->warmed, e);
        if (r < 0)
                return r;
        for (size_t i = 0; z->warmed.preloads && i < z->setup.n_preload; i++)
                if (z->warmed.preloads[i].missing)
                        log_warn(&z->log, "preload: there is no module %s", z->warmed.preloads[i].name);
        warn_of_threads(&z->log);
        z->maker.boot.state = z->warmed.state;
        size_t huge;
        r = hugetext_replace(&huge, e);
        if (r == 0)
                log_debug(&z->log, "%zu MiB of code on huge pages", huge >> 20);
        return r;
}

static int prepare(struct zygote *z, struct err *e)
{
        struct boot_settings *boot = &z->maker.boot;
        int r = take_from_host(z, e);
        if (r == 0)
                r = root_enter(&boot->paths, e);
        if (r == 0)
                r = paths_link(z->lang->links, e);
        if (r < 0)
                return r;

        boot->empty_namespace = root_empty_namespace(e);
        if (boot->empty_namespace < 0)
                return boot->empty_namespace;
        boot->last_pid = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
        if (boot->last_pid < 0)
                return err_set(e, errno, "open ns_last_pid (the kernel needs CONFIG_CHECKPOINT_RESTORE)");
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, z->report) < 0)
                return err_set(e, errno, "a socket pair");
        if (fcntl(z->report[0], F_SETFL, O_NONBLOCK) < 0) /* ours alone: a child waits until there is room */
                return err_set(e, errno, "a non-blocking socket");
        z->maker.guard = guard_open(e);
        if (z->maker.guard < 0)
                return z->maker.guard;
        boot->report = z->report[1];
        boot->lang = z->lang;
        boot->inodes = z->options->inodes;

        r = raise_open_files(e);
        if (r == 0)
                r = set_environment(e);
        if (r == 0)
                r = set_standard_streams(z, e);
        if (r == 0)
                r = warm_language(z, e);
        if (r == 0)
                r = find_thread_state(&z->maker, e);
        if (r == 0)
                r = seccomp_program_build(&boot->seccomp, SECCOMP_INNER, NULL, e);
        if (r == 0)
                r = limit_capabilities(e);
        if (r == 0)
                r = limit_system_calls(z->lang, &boot->faults, e);
        if (r == 0)
                r = stages_init(&boot->stages, e);
        malloc_trim(0); /* what the making of the filters left is not to be copied by every fork */
        return r;
}

static int say_hello(struct zygote *z, struct err *e)
{
        struct report hello = { .kind = REPORT_HELLO };
        snprintf(hello.hello.version, sizeof hello.hello.version, "%s", z->warmed.version);
        snprintf(hello.hello.main_file, sizeof hello.hello.main_file, "%s", z->lang->main_file);
        snprintf(hello.hello.aliases, sizeof hello.hello.aliases, "%s", z->lang->aliases);
        hello.hello.kind = z->lang->kind;
        hello.hello.echoes = z->lang->echoes;
        return channel_send(ZYGOTE_FD_CHANNEL, &hello, sizeof hello, NULL, 0, e);
}

static int say_preloads(const struct zygote *z, struct err *e)
{
        int r = 0;
        for (size_t i = 0; z->warmed.preloads && i < z->setup.n_preload && r == 0; i++) {
                const struct lang_preload *p = &z->warmed.preloads[i];
                struct report report = { .kind = REPORT_PRELOAD };
                snprintf(report.preload.name, sizeof report.preload.name, "%s", p->name);
                report.preload.missing = p->missing;
                report.preload.first_us = p->first_us;
                report.preload.again_us = p->again_us;
                r = channel_send(ZYGOTE_FD_CHANNEL, &report, sizeof report, NULL, 0, e);
        }
        return r;
}

static int live(struct zygote *z, struct err *e)
{
        struct serve *serve = NULL;
        int r = prepare(z, e);
        if (r == 0)
                r = say_hello(z, e);
        if (r == 0)
                r = say_preloads(z, e);
        if (r == 0) /* where the names of what is preloaded were */
                r = wipe_start_memory(z->lang->name, e);
        if (r == 0)
                r = serve_new(&serve, &z->log, ZYGOTE_FD_CHANNEL, z->report[0], &z->maker, e);
        if (r == 0)
                r = serve_run(serve, e);
        serve_free(serve);
        free(z->warmed.preloads);
        seccomp_program_fini(&z->maker.boot.seccomp);
        cgroup_slot_fini(&z->maker.slots.inits, NULL);
        cgroup_base_fini(&z->maker.slots.cgroups);
        leaks_keep(z->warmed.state);
        leaks_prepare(&z->log);
        return r;
}

int zygote_check_plugin(const char *runtime, const char *plugin, struct err *e)
{
        const struct lang *lang = NULL;
        return find_language(plugin, runtime, &lang, e);
}

int zygote_print_calls(const char *language, const char *plugin, FILE *to, struct err *e)
{
        const struct lang *lang = NULL;
        int r = find_language(plugin, language, &lang, e);
        if (r < 0 || !lang)
                return r;
        seccomp_print_extra(to, language, lang->extra_calls);
        return 0;
}

int zygote_main(const struct zygote_options *options)
{
        struct zygote z = {
                .options = options,
                .setup = { .preload = options->preload,
                           .n_preload = options->n_preload,
                           .packages = options->packages ? LANG_PACKAGES : NULL,
                           .command = options->command },
                .report = { -1, -1 },
        };
        struct err e = { 0 };
        snprintf(z.who, sizeof z.who, "zygote/%s", options->language);
        z.log = (struct log){ .who = z.who, .level = options->log_level };

        /* Only the channel crosses an exec into here, and nothing crosses one out of here. */
        if (fcntl(ZYGOTE_FD_CHANNEL, F_SETFD, FD_CLOEXEC) < 0 || close_range(ZYGOTE_FD_CHANNEL + 1, ~0u, 0) < 0) {
                log_error(&z.log, "the channel to the pool is missing: %s", strerror(errno));
                return 1;
        }
        signal(SIGPIPE, SIG_IGN); /* the log may be read by somebody who goes away */
        int r = live(&z, &e);
        if (r < 0)
                log_error(&z.log, "%s", e.text);
        return r < 0;
}
