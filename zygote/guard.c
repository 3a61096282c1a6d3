/* The locks on the kernel's shared inode: see guard.h. */
#include "zygote/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>

int guard_open(struct err *e)
{
        int fd = eventfd(0, EFD_CLOEXEC);
        return fd < 0 ? err_set(e, errno, "an eventfd") : fd;
}

void guard_hold(int guard)
{
        /* This lock covers the whole file. It belongs to the open file, so a close of a copy in a fork does not release
         * it. */
        struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        fcntl(guard, F_OFD_SETLK, &all);
        flock(guard, LOCK_EX | LOCK_NB);
}
