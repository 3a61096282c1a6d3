/* Endings: see ending.h. */
#include "pool/core/ending.h"

#include <sys/wait.h>

static enum outcome_status status_of(enum kill_reason reason, const struct report *r)
{
        int ws = r->exited.wait_status;

        switch (reason) {
        case KILL_CANCELLED:
                return OUTCOME_CANCELLED;
        case KILL_WALL:
                return OUTCOME_TIME_LIMIT;
        case KILL_CPU:
                return OUTCOME_CPU_LIMIT;
        case KILL_OUTPUT:
                return OUTCOME_OUTPUT_LIMIT;
        case KILL_NONE:
        case KILL_GONE:
        case KILL_SHUTDOWN:
        case KILL_FAULT:
                break;
        }
        if (r->exited.oom_kills > 0)
                return OUTCOME_MEMORY_LIMIT;
        if (WIFSIGNALED(ws))
                return OUTCOME_SIGNALED;
        if (r->exited.disk_full && WEXITSTATUS(ws) != 0)
                return OUTCOME_DISK_LIMIT;
        return OUTCOME_EXITED;
}

struct ending ending_of(enum kill_reason reason, const struct report *exited)
{
        int ws = exited->exited.wait_status;

        return (struct ending){
                .status = status_of(reason, exited),
                .exit_code = WIFEXITED(ws) ? WEXITSTATUS(ws) : 0,
                .signal = WIFSIGNALED(ws) ? WTERMSIG(ws) : 0,
                .cpu_us = exited->exited.cpu_us,
                .cpu_user_us = exited->exited.cpu_user_us,
                .cpu_system_us = exited->exited.cpu_system_us,
                .memory_peak_bytes = exited->exited.memory_peak_bytes,
                .oom_killed = exited->exited.oom_kills > 0,
                .processes_peak = exited->exited.processes_peak,
                .disk_bytes = exited->exited.disk_bytes,
                .pids_denied = exited->exited.pids_denied,
        };
}
