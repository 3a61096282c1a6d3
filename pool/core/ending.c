/* The outcome of a run: see outcome.h. */
#include "pool/core/outcome.h"

#include <sys/wait.h>

static hatchery_v1_Result_Status status_of(enum kill_reason reason, const struct report *r)
{
        int ws = r->exited.wait_status;

        switch (reason) {
        case KILL_CANCELLED:
                return hatchery_v1_Result_Status_CANCELLED;
        case KILL_WALL:
                return hatchery_v1_Result_Status_TIME_LIMIT;
        case KILL_CPU:
                return hatchery_v1_Result_Status_CPU_LIMIT;
        case KILL_OUTPUT:
                return hatchery_v1_Result_Status_OUTPUT_LIMIT;
        case KILL_NONE:
        case KILL_GONE:
        case KILL_SHUTDOWN:
        case KILL_FAULT:
                break;
        }
        if (r->exited.oom_kills > 0)
                return hatchery_v1_Result_Status_MEMORY_LIMIT;
        if (WIFSIGNALED(ws))
                return hatchery_v1_Result_Status_SIGNALED;
        if (r->exited.disk_full && WEXITSTATUS(ws) != 0)
                return hatchery_v1_Result_Status_DISK_LIMIT;
        return hatchery_v1_Result_Status_EXITED;
}

void outcome_fill(hatchery_v1_Result *result, enum kill_reason reason, const struct report *exited)
{
        int ws = exited->exited.wait_status;

        result->status = status_of(reason, exited);
        result->exit_code = WIFEXITED(ws) ? WEXITSTATUS(ws) : 0;
        result->signal = WIFSIGNALED(ws) ? WTERMSIG(ws) : 0;
        result->cpu_us = exited->exited.cpu_us;
        result->cpu_user_us = exited->exited.cpu_user_us;
        result->cpu_system_us = exited->exited.cpu_system_us;
        result->memory_peak_bytes = exited->exited.memory_peak_bytes;
        result->oom_killed = exited->exited.oom_kills > 0;
        result->processes_peak = exited->exited.processes_peak;
        result->disk_bytes = exited->exited.disk_bytes;
        result->pids_denied = exited->exited.pids_denied;
}
