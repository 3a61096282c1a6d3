/* Ownership by scope: a variable marked OWN_FD, OWN_MEM or OWN_FILE is released when it goes out of scope, unless it
 * was stolen before. A constructor puts what it acquires into such variables, and steals it on success. So every early
 * return releases everything. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void own_close(int *fd)
{
        if (*fd >= 0)
                close(*fd);
}

static inline int own_steal_fd(int *fd)
{
        int stolen = *fd;
        *fd = -1;
        return stolen;
}

static inline void own_free(void *pointer_to_pointer)
{
        free(*(void **)pointer_to_pointer);
}

static inline void *own_steal_ptr(void *pointer_to_pointer)
{
        void **p = pointer_to_pointer;
        void *stolen = *p;
        *p = NULL;
        return stolen;
}

static inline void own_fclose(FILE **file)
{
        if (*file)
                fclose(*file);
}

#define OWN_FD   __attribute__((cleanup(own_close)))
#define OWN_MEM  __attribute__((cleanup(own_free)))
#define OWN_FILE __attribute__((cleanup(own_fclose)))
