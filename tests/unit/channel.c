/* Packets with descriptors, over the real socket type: nothing may be lost and nothing may leak. */
#include "proto/ipc/channel.h"

#include "proto/base/own.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

struct pair {
        int a, b;
        int before; /* descriptors open before the pair was made */
};

static int open_descriptors(void)
{
        DIR *dir = opendir("/proc/self/fd");
        assert_non_null(dir);
        int n = 0;
        while (readdir(dir))
                n++;
        closedir(dir);
        return n;
}

static int set_up(void **state)
{
        struct pair *p = calloc(1, sizeof *p);
        int fds[2];
        if (!p)
                return -1;
        p->before = open_descriptors();
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
                free(p);
                return -1;
        }
        p->a = fds[0];
        p->b = fds[1];
        *state = p;
        return 0;
}

static int tear_down(void **state)
{
        struct pair *p = *state;
        if (p->a >= 0)
                close(p->a);
        close(p->b);
        int leaked = open_descriptors() - p->before;
        free(p);
        return leaked; /* not 0: cmocka reports a failure */
}

static void open_some(int *fds, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
                assert_true(fds[i] >= 0);
        }
}

static void close_all(const int *fds, size_t n)
{
        for (size_t i = 0; i < n; i++)
                assert_int_equal(close(fds[i]), 0);
}

static void a_packet_arrives_as_it_was_sent(void **state)
{
        struct pair *p = *state;
        struct order sent = { .kind = ORDER_LIMIT, .slot = 3, .sandbox = UINT64_MAX, .memory_bytes = -1, .pids = 9 },
                     got;
        struct err e = { 0 };
        size_t n = 99;

        assert_int_equal(channel_send(p->a, &sent, sizeof sent, NULL, 0, &e), 0);
        assert_int_equal(channel_recv(p->b, &got, sizeof got, NULL, 0, &n, &e), 1);
        assert_int_equal(n, 0);
        assert_memory_equal(&sent, &got, sizeof sent);
}

static void descriptors_arrive_in_order_and_close_on_exec(void **state)
{
        struct pair *p = *state;
        int sent[CHANNEL_MAX_FDS] = { 0 }, got[CHANNEL_MAX_FDS];
        struct report report = { .kind = REPORT_WARM };
        struct err e = { 0 };
        size_t n;

        for (size_t count = 0; count <= CHANNEL_MAX_FDS; count++) {
                for (size_t i = 0; i < count; i++) {
                        int ends[2];
                        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
                        close(ends[1]);
                        sent[i] = ends[0];
                }
                assert_int_equal(channel_send(p->a, &report, sizeof report, sent, count, &e), 0);
                assert_int_equal(channel_recv(p->b, &report, sizeof report, got, CHANNEL_MAX_FDS, &n, &e), 1);
                assert_int_equal(n, count);
                for (size_t i = 0; i < n; i++) {
                        struct stat s, g;
                        assert_int_equal(fstat(sent[i], &s), 0);
                        assert_int_equal(fstat(got[i], &g), 0);
                        assert_int_equal(s.st_ino, g.st_ino);
                        assert_true(fcntl(got[i], F_GETFD) & FD_CLOEXEC);
                }
                close_all(sent, count);
                close_all(got, n);
        }
}

static void more_descriptors_than_wanted_are_closed(void **state)
{
        struct pair *p = *state;
        int sent[CHANNEL_MAX_FDS], got[CHANNEL_MAX_FDS];
        struct order order = { .kind = ORDER_COLLECT };
        struct err e = { 0 };
        size_t n = 99;

        open_some(sent, CHANNEL_MAX_FDS);
        int before = open_descriptors();
        for (size_t max = 0; max < CHANNEL_MAX_FDS; max++) {
                assert_int_equal(channel_send(p->a, &order, sizeof order, sent, CHANNEL_MAX_FDS, &e), 0);
                int r = channel_recv(p->b, &order, sizeof order, got, max, &n, &e);
                assert_refused(r, &e, EPROTO, "8 descriptors");
                assert_int_equal(n, 0);
                assert_int_equal(open_descriptors(), before);
        }
        close_all(sent, CHANNEL_MAX_FDS);
}

static void more_descriptors_than_a_packet_may_have_are_not_sent(void **state)
{
        struct pair *p = *state;
        int fds[CHANNEL_MAX_FDS + 1];
        struct order order = { .kind = ORDER_COLLECT };
        struct err e = { 0 };

        open_some(fds, CHANNEL_MAX_FDS + 1);
        assert_refused(channel_send(p->a, &order, sizeof order, fds, CHANNEL_MAX_FDS + 1, &e), &e, EINVAL, "9");
        close_all(fds, CHANNEL_MAX_FDS + 1);
}

/* Sends by hand what channel_send refuses to send. */
static void more_descriptors_than_there_is_room_for_are_closed(void **state)
{
        enum { MANY = 30 };
        struct pair *p = *state;
        int fds[MANY], got[CHANNEL_MAX_FDS];
        struct order order = { .kind = ORDER_COLLECT };
        struct err e = { 0 };
        size_t n = 99;
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof fds)] = { 0 };
        struct iovec io = { &order, sizeof order };
        struct msghdr msg = {
                .msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
        };

        open_some(fds, MANY);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        if (!c) {
                fail_msg("no room for a control message");
                return;
        }
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fds);
        memcpy(CMSG_DATA(c), fds, sizeof fds);
        assert_int_equal(sendmsg(p->a, &msg, 0), sizeof order);

        int before = open_descriptors();
        int r = channel_recv(p->b, &order, sizeof order, got, CHANNEL_MAX_FDS, &n, &e);
        assert_refused(r, &e, EPROTO, "packet");
        assert_int_equal(n, 0);
        assert_int_equal(open_descriptors(), before);
        close_all(fds, MANY);
}

static void descriptors_that_this_process_has_no_room_for_are_lost(void **state)
{
        struct pair *p = *state;
        int fds[4], got[CHANNEL_MAX_FDS];
        struct order sent = { .kind = ORDER_COLLECT, .slot = 7 }, order = { 0 };
        struct err e = { 0 };
        struct rlimit files, few;
        size_t n = 99;

        open_some(fds, 4);
        assert_int_equal(channel_send(p->a, &sent, sizeof sent, fds, 4, &e), 0);
        int before = open_descriptors();
        assert_return_code(getrlimit(RLIMIT_NOFILE, &files), errno);
        few = files;
        few.rlim_cur = (rlim_t)fds[3] + 3; /* room for two of the four */
        assert_return_code(setrlimit(RLIMIT_NOFILE, &few), errno);
        int r = channel_recv(p->b, &order, sizeof order, got, CHANNEL_MAX_FDS, &n, &e);
        assert_return_code(setrlimit(RLIMIT_NOFILE, &files), errno);
        assert_int_equal(r, 1);
        assert_int_equal(n, 0);
        assert_int_equal(order.slot, 7);
        assert_int_equal(open_descriptors(), before);
        close_all(fds, 4);
}

static void a_packet_of_the_wrong_size_is_refused_and_its_descriptors_closed(void **state)
{
        struct pair *p = *state;
        const size_t sizes[] = { 1, sizeof(struct order) - 1, sizeof(struct order) + 1, 4096 };
        char bytes[4096] = { 0 };
        int fd, got[CHANNEL_MAX_FDS];
        struct order order;
        struct err e = { 0 };
        size_t n = 99;

        open_some(&fd, 1);
        int before = open_descriptors();
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                assert_int_equal(channel_send(p->a, bytes, sizes[i], &fd, 1, &e), 0);
                int r = channel_recv(p->b, &order, sizeof order, got, CHANNEL_MAX_FDS, &n, &e);
                assert_refused(r, &e, EPROTO, "bytes");
                assert_int_equal(n, 0);
                assert_int_equal(open_descriptors(), before);
        }
        close_all(&fd, 1);
}

static void a_packet_of_nothing_but_a_descriptor_is_no_end_of_file(void **state)
{
        struct pair *p = *state;
        int fd, got[CHANNEL_MAX_FDS];
        struct order order;
        struct err e = { 0 };
        size_t n = 99;

        open_some(&fd, 1);
        assert_int_equal(channel_send(p->a, "", 0, &fd, 1, &e), 0);
        int r = channel_recv(p->b, &order, sizeof order, got, CHANNEL_MAX_FDS, &n, &e);
        assert_refused(r, &e, EPROTO, "0 bytes and 1 descriptors");
        close_all(&fd, 1);
}

static void packets_sent_before_the_end_of_file_still_arrive(void **state)
{
        struct pair *p = *state;
        struct order order = { .kind = ORDER_DRAIN };
        struct err e = { 0 };
        size_t n;

        assert_int_equal(channel_send(p->a, &order, sizeof order, NULL, 0, &e), 0);
        close(p->a);
        p->a = -1;
        assert_int_equal(channel_recv(p->b, &order, sizeof order, NULL, 0, &n, &e), 1);
        assert_int_equal(channel_recv(p->b, &order, sizeof order, NULL, 0, &n, &e), 0);
        assert_int_equal(channel_recv(p->b, &order, sizeof order, NULL, 0, &n, &e), 0);
}

static void a_peer_that_is_gone_is_an_error_and_no_signal(void **state)
{
        struct pair *p = *state;
        struct order order = { .kind = ORDER_KILL };
        struct err e = { 0 };

        close(p->a);
        p->a = -1;
        assert_int_equal(channel_send(p->b, &order, sizeof order, NULL, 0, &e), -EPIPE);
}

static void an_empty_or_full_socket_says_so(void **state)
{
        struct pair *p = *state;
        struct order order = { .kind = ORDER_KILL };
        struct err e = { 0 };
        size_t n;
        int r = 0;

        assert_int_equal(fcntl(p->a, F_SETFL, O_NONBLOCK), 0);
        assert_int_equal(channel_recv(p->a, &order, sizeof order, NULL, 0, &n, &e), -EAGAIN);
        for (int i = 0; i < 1000000 && r == 0; i++)
                r = channel_send(p->a, &order, sizeof order, NULL, 0, &e);
        assert_int_equal(r, -EAGAIN);
}

int main(void)
{
#define ON_A_PAIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                ON_A_PAIR(a_packet_arrives_as_it_was_sent),
                ON_A_PAIR(descriptors_arrive_in_order_and_close_on_exec),
                ON_A_PAIR(more_descriptors_than_wanted_are_closed),
                ON_A_PAIR(more_descriptors_than_a_packet_may_have_are_not_sent),
                ON_A_PAIR(more_descriptors_than_there_is_room_for_are_closed),
                ON_A_PAIR(descriptors_that_this_process_has_no_room_for_are_lost),
                ON_A_PAIR(a_packet_of_the_wrong_size_is_refused_and_its_descriptors_closed),
                ON_A_PAIR(a_packet_of_nothing_but_a_descriptor_is_no_end_of_file),
                ON_A_PAIR(packets_sent_before_the_end_of_file_still_arrive),
                ON_A_PAIR(a_peer_that_is_gone_is_an_error_and_no_signal),
                ON_A_PAIR(an_empty_or_full_socket_says_so),
        };
        return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
