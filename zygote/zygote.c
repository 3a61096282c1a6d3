/* The zygote: see zygote.h. */
#include "zygote/zygote.h"

#include "lang/lang.h"
#include "lang/startup.h"
#include "proto/base/own.h"
#include "proto/ipc/channel.h"
#include "zygote/base/leaks.h"
#include "zygote/guard.h"
#include "zygote/hidden.h"
#include "zygote/root.h"
#include "zygote/serve.h"
#include "zygote/settle.h"
#include "zygote/wipe.h"
#include "zygote/zygote_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Finds the places where libc keeps the state that its own fork would renew in the child; see tenant.c. */
static int find_thread_state(struct birth *birth, struct err *e)
{
        int *tid = NULL;
        void *head = NULL;
        size_t size = 0;
        if (prctl(PR_GET_TID_ADDRESS, &tid, 0, 0, 0) < 0)
                return err_set(e, errno, "PR_GET_TID_ADDRESS (the kernel needs CONFIG_CHECKPOINT_RESTORE)");
        if (syscall(SYS_get_robust_list, 0, &head, &size) < 0)
                return err_set(e, errno, "get_robust_list");
        birth->tid_address = (uint64_t)(uintptr_t)tid;
        birth->robust_list.head = (uint64_t)(uintptr_t)head;
        birth->robust_list.size = size;
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

static int prepare(struct zygote_self *z, struct err *e)
{
        struct boot_settings *boot = &z->shown->birth.settings;
        int r = zygote_load(z, e);
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
        if (fcntl(z->report[0], F_SETFL, O_NONBLOCK) < 0) /* only our end: a child waits until there is room */
                return err_set(e, errno, "a non-blocking socket");
        z->maker.guard = guard_open(e);
        if (z->maker.guard < 0)
                return z->maker.guard;
        r = facts_base_init(&z->maker.cells.facts, e);
        if (r < 0)
                return r;
        boot->report = z->report[1];
        boot->lang = z->lang;
        boot->inodes = z->options->inodes;

        r = raise_open_files(e);
        wipe_freed_end();
        if (r == 0)
                r = zygote_warm(z, e);
        if (r == 0)
                r = find_thread_state(&z->shown->birth, e);
        if (r == 0)
                r = seccomp_program_build(&boot->seccomp, SECCOMP_INNER, NULL, e);
        if (r == 0)
                r = shelves_init(&z->maker.shelves, e);
        boot->shelves_end = shelves_end(&z->maker.shelves);
        settle_heap();
        return r;
}

static int say_hello(struct zygote_self *z, const struct ceilings *ceilings, struct err *e)
{
        struct report hello = { .kind = REPORT_HELLO };
        snprintf(hello.hello.version, sizeof hello.hello.version, "%s", z->shown->warmed.version);
        snprintf(hello.hello.main_file, sizeof hello.hello.main_file, "%s", z->lang->main_file);
        snprintf(hello.hello.aliases, sizeof hello.hello.aliases, "%s", z->lang->aliases);
        snprintf(hello.hello.extensions, sizeof hello.hello.extensions, "%s", z->lang->extensions);
        hello.hello.kind = z->lang->kind;
        hello.hello.echoes = z->lang->echoes;
        hello.hello.prompts = startup_prompts(z->lang);
        hello.hello.fresh = z->lang->fresh != NULL;
        hello.hello.ceilings = *ceilings;
        OWN_FD int load = open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);
        return channel_send(ZYGOTE_FD_CHANNEL, &hello, sizeof hello, &load, load >= 0 ? 1 : 0, e);
}

static int say_preloads(const struct zygote_self *z, struct err *e)
{
        int r = 0;
        for (size_t i = 0; z->shown->warmed.preloads && i < z->shown->setup.n_preload && r == 0; i++) {
                const struct lang_preload *p = &z->shown->warmed.preloads[i];
                struct report report = { .kind = REPORT_PRELOAD };
                snprintf(report.preload.name, sizeof report.preload.name, "%s", p->name);
                report.preload.missing = p->missing;
                report.preload.first_us = p->first_us;
                report.preload.again_us = p->again_us;
                r = channel_send(ZYGOTE_FD_CHANNEL, &report, sizeof report, NULL, 0, e);
        }
        return r;
}

static long forget(void *unused)
{
        (void)unused;
        wipe_stack();
        return 0;
}

/* Another process looks for leaks at the end, and the pid namespace of the last slot takes no new process. */
static void prepare_for_leaks(const struct zygote_self *z)
{
        struct err e = { 0 };
        leaks_keep(z->shown->warmed.state);
        if (leaks_are_looked_for() && cell_leave_namespace(&e) < 0)
                log_error(&z->log, "looking for leaks: %s", e.text);
}

/* Runs on a stack of its own (aside.h). Children get a copy of the main stack, which so holds none of its data. */
static int live(struct aside *aside, void *context, struct err *e)
{
        struct zygote_self *z = context;
        struct serve *serve = NULL;
        z->aside = z->maker.cells.aside = aside;
        int r = prepare(z, e);
        if (r == 0)
                r = serve_new(&serve, &z->log, ZYGOTE_FD_CHANNEL, z->report[0], &z->maker, z->options->ceilings, e);
        if (r == 0)
                r = say_hello(z, serve_ceilings(serve), e);
        if (r == 0)
                r = say_preloads(z, e);
        if (r == 0) /* removes the names of preloaded modules, and the ceilings */
                r = wipe_arguments(z->lang->name, e);
        aside_leave(aside, forget, NULL);
        if (r == 0)
                r = serve_run(serve, e);
        serve_free(serve);
        free(z->shown->warmed.preloads);
        seccomp_program_fini(&z->shown->birth.settings.seccomp);
        facts_base_fini(&z->maker.cells.facts);
        cgroup_slot_fini(&z->maker.cells.inits, NULL);
        cgroup_base_fini(&z->maker.cells.cgroups);
        prepare_for_leaks(z);
        return r;
}

int zygote_main(const struct zygote_arguments *options)
{
        struct zygote_shown shown = {
                .setup = { .preload = options->preload,
                           .n_preload = options->n_preload,
                           .packages = options->packages ? LANG_PACKAGES : NULL,
                           .command = options->command },
        };
        struct zygote_self *z = hidden_new(sizeof *z);
        const struct log log = { .who = "zygote", .level = options->log_level };
        if (!z) {
                log_error(&log, "hidden memory: %s", strerror(errno));
                return 1;
        }
        *z = (struct zygote_self){
                .options = options,
                .shown = &shown,
                .maker = { .birth = &shown.birth,
                           .cells.birth = &shown.birth.init,
                           .cells.facts = { .disk = -1, .same_for_all = -1 } },
                .report = { -1, -1 },
        };
        snprintf(z->who, sizeof z->who, "zygote/%s", options->language);
        z->log = (struct log){ .who = z->who, .level = options->log_level };

        /* This process keeps only the channel of the descriptors that it inherited, and hands none on over an exec. */
        if (fcntl(ZYGOTE_FD_CHANNEL, F_SETFD, FD_CLOEXEC) < 0 || close_range(ZYGOTE_FD_CHANNEL + 1, ~0u, 0) < 0) {
                log_error(&z->log, "the channel to the pool is missing: %s", strerror(errno));
                return 1;
        }
        signal(SIGPIPE, SIG_IGN); /* the reader of the log may go away */
        int r = aside_run(live, z, &z->error);
        if (r < 0)
                log_error(&z->log, "%s", z->error.text);
        hidden_free(z, sizeof *z);
        return r < 0;
}
