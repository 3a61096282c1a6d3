/* The end of a process whose runtime calls exit(). The program's own exit functions run, C's streams are flushed, and
 * the process ends. Without exit_without_zygote, the exit functions of hatcheryd and its libraries would run in every
 * sandbox. Those belong to the zygote, touch its pages, and are no part of a program's end. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void exit_at_once(int status, void *unused)
{
        (void)unused;
        fflush(NULL);
        _exit(status);
}

/* To be called in a child, before the program. Exit functions run last to first, so those that were registered before
 * this call do not run. 0, or -1. */
static inline int exit_without_zygote(void)
{
        return on_exit(exit_at_once, NULL);
}
