/* The pool's one clock: monotonic microseconds. */
#pragma once

#include <stdint.h>
#include <sys/time.h>
#include <time.h>

static inline int64_t clock_us(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* For libevent, which rounds down: a delay is never nothing. */
static inline struct timeval clock_delay(int64_t us)
{
        if (us < 1000)
                us = 1000;
        return (struct timeval){ .tv_sec = us / 1000000, .tv_usec = us % 1000000 };
}
