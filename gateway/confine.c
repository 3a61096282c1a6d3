/* The confinement of a gateway worker: see confine.h. */
#include "gateway/confine.h"

#include "proto/base/own.h"
#include "proto/confine/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

int gateway_confine(unsigned first_foreign, uint32_t uid, int root, struct err *e)
{
        OWN_FD int directory = root;
        int r = confine_forget(first_foreign, e);
        if (r < 0)
                return r;
        /* Unix sockets with abstract names belong to a network namespace, not to a directory. Those of the host are out
         * of reach in the new namespace. */
        if (unshare(CLONE_NEWNET) < 0)
                return err_set(e, errno, "leaving the host's network");
        return confine_drop(uid, directory, e);
}

/* The address of a TCP server has 16 bytes or more. The address of the pool's socket ("pool.sock") is shorter. So
 * connect may take only short addresses, sendto may name no address, and no send may connect (MSG_FASTOPEN). Otherwise
 * a worker that was taken over could use an accepted socket again, to reach another server. */
enum { ADDRESS_MOST = 15, SEND_FLAGS = MSG_NOSIGNAL | MSG_DONTWAIT, SOCKET_FLAGS = SOCK_CLOEXEC | SOCK_NONBLOCK };

_Static_assert(sizeof(struct sockaddr_in) > ADDRESS_MOST && sizeof(struct sockaddr_in6) > ADDRESS_MOST,
               "the address of a TCP server is longer than ADDRESS_MOST");
_Static_assert(offsetof(struct sockaddr_un, sun_path) + sizeof "pool.sock" <= ADDRESS_MOST,
               "the address of the pool's socket is at most ADDRESS_MOST");

static const struct confine_call loop_calls[] = {
        /* the worker's loop, and the loop of the library that speaks with the pool */
        { .call = SCMP_SYS(epoll_create1) },
        { .call = SCMP_SYS(epoll_wait) },
        { .call = SCMP_SYS(epoll_pwait) },
        { .call = SCMP_SYS(epoll_ctl) },
        { .call = SCMP_SYS(poll) },
        /* clients */
        { .call = SCMP_SYS(accept4) },
        { .call = SCMP_SYS(read) },
        { .call = SCMP_SYS(readv) },
        { .call = SCMP_SYS(recvfrom) },
        { .call = SCMP_SYS(write) },
        { .call = SCMP_SYS(writev) },
        { .call = SCMP_SYS(sendto), .arguments = { { 3, ~(uint64_t)SEND_FLAGS, 0 }, { 4, CONFINE_ALL_BITS, 0 } } },
        { .call = SCMP_SYS(sendmsg), .arguments = { { 2, ~(uint64_t)SEND_FLAGS, 0 } } },
        { .call = SCMP_SYS(shutdown) }, /* the end of an answer, while the client still sends */
        { .call = SCMP_SYS(close) },
        { .call = SCMP_SYS(getpeername) },
        { .call = SCMP_SYS(getsockname) },
        { .call = SCMP_SYS(getsockopt) },
        { .call = SCMP_SYS(setsockopt),
          .arguments = { { 1, CONFINE_ALL_BITS, SOL_SOCKET }, { 2, CONFINE_ALL_BITS, SO_KEEPALIVE } } },
        { .call = SCMP_SYS(setsockopt),
          .arguments = { { 1, CONFINE_ALL_BITS, IPPROTO_TCP }, { 2, CONFINE_ALL_BITS, TCP_NODELAY } } },
        { .call = SCMP_SYS(fcntl), .arguments = { { 1, CONFINE_ALL_BITS, F_GETFL } } },
        { .call = SCMP_SYS(fcntl), .arguments = { { 1, CONFINE_ALL_BITS, F_SETFL } } },
        { .call = SCMP_SYS(fcntl), .arguments = { { 1, CONFINE_ALL_BITS, F_GETFD } } },
        { .call = SCMP_SYS(fcntl), .arguments = { { 1, CONFINE_ALL_BITS, F_SETFD } } },
        { .call = SCMP_SYS(fcntl), .arguments = { { 1, CONFINE_ALL_BITS, F_DUPFD_CLOEXEC } } },
#ifndef __SANITIZE_ADDRESS__ /* the sanitizers' runtime has other ioctls, too, so there all are allowed */
        { .call = SCMP_SYS(ioctl), .arguments = { { 1, CONFINE_ALL_BITS, FIONREAD } } },
#endif
        /* connecting to the pool, again after each loss */
        { .call = SCMP_SYS(socket),
          .arguments = { { 0, CONFINE_ALL_BITS, AF_UNIX },
                         { 1, ~(uint64_t)SOCKET_FLAGS, SOCK_STREAM },
                         { 2, CONFINE_ALL_BITS, 0 } } },
        { .call = SCMP_SYS(connect), .arguments = { { 2, ~(uint64_t)ADDRESS_MOST, 0 } } },
};

int gateway_confine_calls(struct err *e)
{
        const struct confine_list lists[] = { { loop_calls, sizeof loop_calls / sizeof loop_calls[0] } };
        return confine_calls(lists, 1, e);
}
