/* The benchmark's one clock: CLOCK_MONOTONIC in nanoseconds, the same in every process of the machine, so that parallel
 * processes can share a window in absolute time. */
#pragma once

#include <errno.h>
#include <stdint.h>
#include <time.h>

#define CLOCK_SECOND 1000000000ull

static inline uint64_t clock_now(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * CLOCK_SECOND + (uint64_t)t.tv_nsec;
}

static inline void clock_sleep_until(uint64_t ns)
{
        struct timespec t = { .tv_sec = (time_t)(ns / CLOCK_SECOND), .tv_nsec = (long)(ns % CLOCK_SECOND) };
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
                ;
}

static inline void clock_sleep(uint64_t ns)
{
        clock_sleep_until(clock_now() + ns);
}
