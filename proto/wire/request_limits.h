/* Each limit of a request with its field and its place in the generated struct, for both directions. */
#pragma once

#define LIMITS(X)                                                                                                      \
        X(LIMIT_WALL, wall_us)                                                                                         \
        X(LIMIT_CPU, cpu_us)                                                                                           \
        X(LIMIT_MEMORY, memory_bytes)                                                                                  \
        X(LIMIT_PIDS, pids)                                                                                            \
        X(LIMIT_OUTPUT, output_bytes)                                                                                  \
        X(LIMIT_DISK, disk_bytes)                                                                                      \
        X(LIMIT_OPEN_FILES, open_files)                                                                                \
        X(LIMIT_STACK, stack_bytes)
