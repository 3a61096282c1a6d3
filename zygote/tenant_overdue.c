/* Decides whether the zygote has waited too long for a sandbox or its init: see tenant.h. Only the processor time that
 * they were given counts, and not how long a loaded machine takes to give that time. */
#include "zygote/tenant.h"

#include "proto/base/own.h"
#include "proto/ipc/cpu.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* A boot and a teardown take milliseconds, or a second where a hostile run has left much. A program that is started
 * ahead takes longer: a virtual machine takes 1.5 s of an idle processor. init may make the kernel free the names of
 * files that a run has looked up. A signal interrupts that after five seconds (init.c), as soon as the kernel looks for
 * signals. Killing init would be no faster.
 *
 * A process may get little processor time for very long. So waiting also ends after PATIENCE_TIMES or
 * INIT_PATIENCE_TIMES the patience, as the clock counts it. The pool waits longer (pool/link/zygote.c). */
enum { PATIENCE_MS = 8000, PRESTART_PATIENCE_MS = 40000, RECLAIM_PATIENCE_MS = 24000 };
enum { PATIENCE_TIMES = 12, INIT_PATIENCE_TIMES = 5 };

/* Reads the processor time of the awaited processes: of the booting process and all that it started; or of init and of
 * the dying processes, which need the processor to die. */
static void look_at(const struct tenant *s, bool boots, struct patience_look *look)
{
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/schedstat", (int)(boots ? s->pid : s->cell->init_pid));
        OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        patience_read(fd, look);
        int64_t cpu_us = cpu_time_read(s->cell->cgroup.file[CGROUP_FILE_CPU]);
        if (boots) /* the booting process is in the group itself */
                look->cpu_us = cpu_us;
        else
                look->cpu_us += cpu_us;
}

bool tenant_is_overdue(struct tenant *s, int64_t now)
{
        bool boots = s->state == TENANT_BOOTING && !s->kill_sent && !s->releasing;
        bool waits = s->state == TENANT_BOOTING || s->kill_sent || s->releasing;
        bool reclaims = s->releasing && s->reclaimed;
        int64_t patience_ms = boots && s->prestarts ? PRESTART_PATIENCE_MS
                              : reclaims            ? RECLAIM_PATIENCE_MS
                                                    : PATIENCE_MS;
        struct patience_look look = { .now_us = now * 1000 };

        if (!waits || s->state == TENANT_GOING || s->init_lost)
                return false;
        if (s->looked_since_ms != s->asked_ms) {
                s->looked_since_ms = s->asked_ms;
                s->patience = (struct patience){ 0 };
        }
        look_at(s, boots, &look);
        patience_look(&s->patience, &look);
        return s->patience.given_us > patience_ms * 1000 ||
               now - s->asked_ms > patience_ms * (boots ? PATIENCE_TIMES : INIT_PATIENCE_TIMES);
}
