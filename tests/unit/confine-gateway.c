/* The confinement of a gateway worker: gateway/confine.h. */
#include "attempts.h"
#include "unit.h"

#include "gateway/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

/* Descriptors that the attempts use: a listening TCP socket, and a connection that it accepted. */
enum { LISTENER = 200, CONNECTION = 201, UID = 1879000001 };

static struct sockaddr_in listener_address(void)
{
        struct sockaddr_in in = { 0 };
        socklen_t size = sizeof in;
        getsockname(LISTENER, (struct sockaddr *)&in, &size);
        return in;
}

static void open_sockets(void)
{
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
            client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(listener >= 0 && client >= 0);
        assert_int_equal(bind(listener, (struct sockaddr *)&in, sizeof in), 0);
        assert_int_equal(listen(listener, 64), 0);
        assert_int_equal(dup2(listener, LISTENER), LISTENER);
        close(listener);
        in = listener_address();
        assert_int_equal(connect(client, (struct sockaddr *)&in, sizeof in), 0);
        int accepted = accept4(LISTENER, NULL, NULL, SOCK_CLOEXEC);
        assert_int_equal(dup2(accepted, CONNECTION), CONNECTION);
        close(accepted); /* client stays open to the end of the process */
}

/* ---------------------------------------------------------------- attempts */

/* The filter allows this connect, because the address is short. It only disconnects the socket. */
static long disconnect(void)
{
        const struct sockaddr none = { .sa_family = AF_UNSPEC };
        return connect(CONNECTION, &none, sizeof none.sa_family + 6);
}

static long connect_elsewhere(void)
{
        const struct sockaddr_in in = listener_address();
        return disconnect() < 0 ? -1 : connect(CONNECTION, (const struct sockaddr *)&in, sizeof in);
}

/* An allowed call may fail for another reason, for instance because the host has switched MSG_FASTOPEN off. Only ENOSYS
 * is from the filter. */
static long unless_refused(long r)
{
        return r < 0 && errno != ENOSYS ? 0 : r;
}

static long send_elsewhere(void)
{
        const struct sockaddr_in in = listener_address();
        if (disconnect() < 0)
                return -1;
        return unless_refused(sendto(CONNECTION, "x", 1, MSG_FASTOPEN, (const struct sockaddr *)&in, sizeof in));
}

static long send_message_elsewhere(void)
{
        struct sockaddr_in in = listener_address();
        char x = 'x';
        struct iovec one = { &x, 1 };
        const struct msghdr m = { .msg_name = &in, .msg_namelen = sizeof in, .msg_iov = &one, .msg_iovlen = 1 };
        return disconnect() < 0 ? -1 : unless_refused(sendmsg(CONNECTION, &m, MSG_FASTOPEN));
}

static long send_to_a_name(void)
{
        const struct sockaddr_in in = listener_address();
        return unless_refused(sendto(CONNECTION, "x", 1, MSG_NOSIGNAL, (const struct sockaddr *)&in, sizeof in));
}

static long listen_again(void)
{
        return listen(LISTENER, 1);
}

static long bind_socket(void)
{
        const struct sockaddr_un any = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        return fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&any, sizeof any.sun_family);
}

static long pair_of_sockets(void)
{
        int pair[2];
        return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
}

static long packet_socket(void)
{
        return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

static long change_congestion(void)
{
        return setsockopt(CONNECTION, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

static long choose_by_program(void)
{
        return unless_refused(setsockopt(LISTENER, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, NULL, 0));
}

static long own_descriptors(void)
{
        return fcntl(CONNECTION, F_SETOWN, getpid());
}

static long terminal_ioctl(void)
{
        return unless_refused(ioctl(CONNECTION, TIOCGWINSZ, NULL));
}

static long remove_file(void)
{
        return unless_refused(unlink("pool.sock.not-there"));
}

static const struct attempt own_attempts[] = {
        { "a client's connection for another server", connect_elsewhere, false },
        { "a connection by the first byte", send_elsewhere, false },
        { "a connection by the first message", send_message_elsewhere, false },
        { "a send that names an address", send_to_a_name, false },
        { "listening", listen_again, false },
        { "binding", bind_socket, false },
        { "a pair of sockets", pair_of_sockets, false },
        { "a socket of packets", packet_socket, false },
        { "another congestion control", change_congestion, false },
        { "a program that chooses the listener", choose_by_program, false },
        { "the owner of a descriptor", own_descriptors, false },
        { "an ioctl of terminals", terminal_ioctl, true },
        { "removing a file", remove_file, false },
};

static void what_the_loop_does_not_need_is_not_there(void **state)
{
        (void)state;
        open_sockets();
        attempts_make(attempts, n_attempts, gateway_confine_calls);
        attempts_make(own_attempts, sizeof own_attempts / sizeof own_attempts[0], gateway_confine_calls);
}

/* ---------------------------------------------------------------- what a worker needs */

static int connect_to(const char *path, bool is_abstract)
{
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        size_t len = strlen(path) + 1;
        memcpy(sa.sun_path + is_abstract, path, len);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        int r = connect(fd, (const struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
        r = r < 0 ? -errno : 0;
        close(fd);
        return r;
}

static int listen_at(const char *path, bool is_abstract)
{
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        size_t len = strlen(path) + 1;
        memcpy(sa.sun_path + is_abstract, path, len);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        assert_int_equal(
                bind(fd, (const struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)), 0);
        assert_int_equal(listen(fd, 8), 0);
        return fd;
}

struct place {
        int root;
        const char *name; /* of an abstract socket */
};

/* A lower limit, as a shell may set it. */
static void lower_limit(void)
{
        struct rlimit files;
        getrlimit(RLIMIT_NOFILE, &files);
        files.rlim_cur = CONNECTION + 100;
        setrlimit(RLIMIT_NOFILE, &files);
}

static bool limit_is_raised(void)
{
        struct rlimit files;
        return getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur == files.rlim_max;
}

static bool is_null(int fd)
{
        struct stat st;
        return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/* 0, or the number of the first check that fails. */
static int live_in(void *data)
{
        const struct place *p = data;
        struct err e = { 0 };
        int unread = 0;

        if (connect_to(p->name, true) != 0)
                return 1; /* without confinement, the abstract socket can be reached */
        const int foreign = fcntl(CONNECTION, F_DUPFD_CLOEXEC, CONNECTION + 1);
        if (foreign < 0 || dup2(CONNECTION, STDIN_FILENO) < 0 || dup2(CONNECTION, STDOUT_FILENO) < 0)
                return 10;
        lower_limit();
        int r = gateway_confine(CONNECTION + 1, UID, p->root, &e);
        if (r == 0 && (getuid() != UID || fcntl(p->root, F_GETFD) >= 0 || errno != EBADF))
                return 9;
        if (r == 0 && (fcntl(foreign, F_GETFD) >= 0 || !is_null(STDIN_FILENO) || !is_null(STDOUT_FILENO)))
                return 11;
        if (r == 0 && !limit_is_raised())
                return 12;
        if (r < 0 || gateway_confine_calls(&e) < 0) {
                fprintf(stderr, "# %s\n", e.text);
                return 2;
        }
        if (connect_to("pool.sock", false) != 0)
                return 3;
        if (connect_to(p->name, true) != -ECONNREFUSED)
                return 4;
        if (!SANITIZED && connect_to("/run", false) != -ENOENT)
                return 5;
        int loop = epoll_create1(EPOLL_CLOEXEC);
        struct epoll_event readable = { .events = EPOLLIN };
        if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, LISTENER, &readable) < 0 ||
            epoll_wait(loop, &readable, 1, 0) != 0)
                return 6;
        if (accept4(LISTENER, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) >= 0 || errno != EAGAIN)
                return 7;
        if (ioctl(CONNECTION, FIONREAD, &unread) < 0 || send(CONNECTION, "x", 1, MSG_NOSIGNAL) != 1)
                return 8;
        return 0;
}

static void the_pool_is_reached_and_nothing_beside_it(void **state)
{
        (void)state;
        if (getuid() != 0)
                skip(); /* there are no rights to drop */
        char path[] = "/tmp/hatchery-confine-XXXXXX", name[64], socket_path[64];
        assert_non_null(mkdtemp(path));
        snprintf(socket_path, sizeof socket_path, "%s/pool.sock", path);
        snprintf(name, sizeof name, "h-%d", (int)getpid() % 1000000);

        int pool = listen_at(socket_path, false), stranger = listen_at(name, true);
        assert_int_equal(chown(path, 0, UID), 0);
        assert_int_equal(chmod(path, 0710), 0);
        assert_int_equal(chown(socket_path, UID, UID), 0);
        assert_int_equal(chmod(socket_path, 0600), 0);
        open_sockets();
        assert_int_equal(fcntl(LISTENER, F_SETFL, O_NONBLOCK), 0);
        struct place p = { .root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .name = name };
        assert_true(p.root >= 0);
        assert_int_equal(attempts_status(live_in, &p), 0);
        close(p.root);
        close(pool);
        close(stranger);
        assert_int_equal(unlink(socket_path), 0);
        assert_int_equal(rmdir(path), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_pool_is_reached_and_nothing_beside_it),
                cmocka_unit_test(what_the_loop_does_not_need_is_not_there), /* last: it gives up new privileges */
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
