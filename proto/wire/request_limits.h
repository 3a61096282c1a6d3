/* The limits of a request. X(LIMIT, member): LIMIT is our name, member is the name in the generated struct. Decoding
 * and encoding use this table. */
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
