/* The one clock: CLOCK_MONOTONIC, the same in every process of the machine. */
#pragma once

#include <stdint.h>
#include <sys/time.h>

int64_t clock_us(void);
int64_t clock_ms(void);

/* For libevent, which rounds down: the delay is never 0. */
static inline struct timeval clock_delay(int64_t us)
{
        if (us < 1000)
                us = 1000;
        return (struct timeval){ .tv_sec = us / 1000000, .tv_usec = us % 1000000 };
}
