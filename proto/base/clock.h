/* The one clock: CLOCK_MONOTONIC, the same in every process of the machine. clock_wall_us alone is another. */
#pragma once

#include <stdint.h>
#include <sys/time.h>

int64_t clock_us(void);

/* The time of day, in microseconds since 1970-01-01 UTC. It may jump. */
int64_t clock_wall_us(void);
int64_t clock_ms(void);

/* For libevent, which rounds down: the delay is never 0. */
static inline struct timeval clock_delay(int64_t us)
{
        if (us < 1000)
                us = 1000;
        return (struct timeval){ .tv_sec = us / 1000000, .tv_usec = us % 1000000 };
}
