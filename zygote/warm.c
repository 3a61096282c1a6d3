/* The start of a zygote's interpreter. It runs modules that an operator preloads, so it has few rights: see
 * rights.h. */
#include "zygote/zygote_parts.h"

#include "lang/lang.h"
#include "zygote/base/leaks.h"
#include "zygote/base/root_places.h"
#include "zygote/hugetext.h"
#include "zygote/rights.h"
#include "zygote/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

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

/* Interpreters look at their standard streams once, at the start. They remember whether the streams can seek, and the
 * size of a block. In a sandbox the streams are pipes, so they are pipes here, too. The log gets another descriptor. */
static int set_standard_streams(struct zygote_self *z, struct err *e)
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
                log_warn(log, "preloaded modules started threads (%d); programs do not get these threads", n - 1);
}

struct warming {
        struct zygote_self *zygote;
        struct err *e;
};

static long warm(void *argument)
{
        struct warming *w = argument;
        struct zygote_self *z = w->zygote;
        signal(SIGPIPE, SIG_DFL); /* as a program finds it; interpreters may change it */
        return z->lang->warm(&z->shown->setup, &z->shown->warmed, w->e);
}

static long limit(void *argument)
{
        struct warming *w = argument;
        return rights_limit(w->zygote->lang->extra_calls, &w->zygote->maker.cells.faults, w->e);
}

/* The rights are taken up again even if the start failed, because looking for leaks at the end needs some rights. */
static int warm_without_rights(struct zygote_self *z, struct warming *w, struct err *e)
{
        int r = rights_lay_down(z->options->uid_base, &z->maker.cells.faults, e);
        if (r < 0)
                return r;
        r = (int)aside_leave(z->aside, warm, w);
        struct err unsaid = { 0 };
        int up = rights_take_up(&z->maker.cells.faults, r < 0 ? &unsaid : e);
        return r < 0 ? r : up;
}

int zygote_warm(struct zygote_self *z, struct err *e)
{
        struct zygote_shown *shown = z->shown;
        struct warming w = { .zygote = z, .e = e };
        size_t huge = 0;
        int r = set_environment(e);
        if (r == 0)
                r = set_standard_streams(z, e);
        if (r == 0)
                r = (int)aside_leave(z->aside, limit, &w);
        if (r == 0)
                r = warm_without_rights(z, &w, e);
        if (r == 0)
                r = hugetext_replace(&huge, e);
        if (r < 0)
                return r;
        log_debug(&z->log, "%zu MiB of code on huge pages", huge >> 20);
        for (size_t i = 0; shown->warmed.preloads && i < shown->setup.n_preload; i++)
                if (shown->warmed.preloads[i].missing)
                        log_warn(&z->log, "preload: there is no module %s", shown->warmed.preloads[i].name);
        warn_of_threads(&z->log);
        shown->birth.settings.state = shown->warmed.state;
        return 0;
}
