/* How an execution ended, for fronts. */
#pragma once

#include "pool/base/stages.h"
#include "proto/base/span.h"
#include "proto/base/submission.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers are those of hatchery.v1.Result.Status; pool/native asserts that they are equal. */
enum outcome_status {
        OUTCOME_EXITED = 1,
        OUTCOME_SIGNALED,
        OUTCOME_TIME_LIMIT,
        OUTCOME_CPU_LIMIT,
        OUTCOME_MEMORY_LIMIT,
        OUTCOME_OUTPUT_LIMIT,
        OUTCOME_DISK_LIMIT,
        OUTCOME_COMPILE_ERROR,
        OUTCOME_CANCELLED,
};

/* How the program of one sandbox ended, and its usage. */
struct ending {
        enum outcome_status status;
        int exit_code; /* if the program exited, else 0 */
        int signal;    /* if a signal killed the program, else 0 */
        uint64_t wall_us;
        uint64_t cpu_us, cpu_user_us, cpu_system_us;
        uint64_t memory_peak_bytes;
        uint64_t disk_bytes;
        uint64_t pids_denied;    /* forks that the limit of processes refused */
        uint32_t processes_peak; /* 0: the kernel does not tell */
        bool oom_killed;
};

/* The output of one sandbox. */
struct output {
        struct span out, err;
        uint64_t out_total, err_total; /* bytes that were written, kept or not */
        bool out_truncated, err_truncated;
};

/* The compile step, of an execution that had one. */
struct compile_outcome {
        struct ending end;
        struct output output;
        uint64_t compile_us;
        bool cached; /* the step was not run: the cache had its artifacts */
};

struct outcome {
        struct ending end;
        struct output output; /* has no bytes if the sink got the output as it came */
        bool has_compile;
        struct compile_outcome compile;

        struct file_span *files; /* files that were asked for and collected */
        size_t n_files;
        const char *files_note; /* NULL: no file is missing; else the reason, as a sentence */

        uint64_t queue_us; /* from the execution's arrival to the hand-over of its job, without the compile step */
        uint64_t warm_us;  /* age of the sandbox at the hand-over */
        uint64_t stage_us[STAGES_OF_RUN];
        char sandbox[48];
        const char *language, *language_version;
};
