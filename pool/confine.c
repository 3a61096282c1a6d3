/* The system calls of the pool: see confine.h. */
#include "pool/confine.h"

#include "proto/confine/confine.h"

#include <fcntl.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>

static const struct confine_call loop_calls[] = {
        /* the loop */
        { .call = SCMP_SYS(epoll_wait) },
        { .call = SCMP_SYS(epoll_pwait) },
        { .call = SCMP_SYS(epoll_ctl) },
        /* clients, zygotes, sandboxes */
        { .call = SCMP_SYS(accept4) },
        { .call = SCMP_SYS(read) },
        { .call = SCMP_SYS(readv) },
        { .call = SCMP_SYS(pread64) },
        { .call = SCMP_SYS(write) },
        { .call = SCMP_SYS(writev) },
        { .call = SCMP_SYS(recvfrom) },
        { .call = SCMP_SYS(recvmsg) },
        { .call = SCMP_SYS(sendto) },
        { .call = SCMP_SYS(sendmsg) },
        { .call = SCMP_SYS(shutdown) },
        { .call = SCMP_SYS(setsockopt) },
        { .call = SCMP_SYS(getsockopt) },
        { .call = SCMP_SYS(socketpair) },
        { .call = SCMP_SYS(close) },
        /* a configuration that comes as a descriptor */
        { .call = SCMP_SYS(fstat) },
        { .call = SCMP_SYS(newfstatat) },
        { .call = SCMP_SYS(lseek) },
        { .call = SCMP_SYS(sched_getaffinity) },
        /* descriptors may be made non-blocking and copied; the pool needs no locks, owners or leases */
        { .call = SCMP_SYS(fcntl), .arguments = { { 1, CONFINE_ALL_BITS, F_GETFL } } },
        { .call = SCMP_SYS(fcntl), .arguments = { { 1, CONFINE_ALL_BITS, F_SETFL } } },
        { .call = SCMP_SYS(fcntl), .arguments = { { 1, CONFINE_ALL_BITS, F_GETFD } } },
        { .call = SCMP_SYS(fcntl), .arguments = { { 1, CONFINE_ALL_BITS, F_SETFD } } },
        { .call = SCMP_SYS(fcntl), .arguments = { { 1, CONFINE_ALL_BITS, F_DUPFD_CLOEXEC } } },
#ifndef __SANITIZE_ADDRESS__ /* the sanitizers' runtime has other ioctls, too, so there all are allowed */
        /* one ioctl of terminals: the size of a sandbox's terminal */
        { .call = SCMP_SYS(ioctl), .arguments = { { 1, CONFINE_ALL_BITS, TIOCSWINSZ } } },
#endif
};

/* Files of one directory, by names that are relative to it; and the time of an open file. */
enum { DIRECTORY_CALLS = 4 };

static void allow_directory(struct confine_call calls[DIRECTORY_CALLS], uint64_t directory)
{
        const struct confine_argument from = { 0, CONFINE_ALL_BITS, directory };
        const struct confine_argument to = { 2, CONFINE_ALL_BITS, directory };
        const struct confine_argument open_one = { 1, CONFINE_ALL_BITS, 0 };

        calls[0] = (struct confine_call){ SCMP_SYS(openat), { from } };
        calls[1] = (struct confine_call){ SCMP_SYS(unlinkat), { from } };
        calls[2] = (struct confine_call){ SCMP_SYS(renameat), { from, to } };
        calls[3] = (struct confine_call){ SCMP_SYS(utimensat), { open_one } };
}

int confine_pool_calls(int directory, struct err *e)
{
        struct confine_call in_directory[DIRECTORY_CALLS];
        const struct confine_list lists[] = {
                { loop_calls, sizeof loop_calls / sizeof loop_calls[0] },
                { in_directory, DIRECTORY_CALLS },
        };
        if (directory >= 0)
                allow_directory(in_directory, (uint64_t)directory);
        return confine_calls(lists, directory >= 0 ? 2 : 1, e);
}
