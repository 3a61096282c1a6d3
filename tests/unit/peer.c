/* Clients' identities: proto/base/peer.h. */
#include "proto/base/peer.h"

#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <unistd.h>

static struct peer of_v4(const char *text, uint16_t port)
{
        struct sockaddr_storage a = { 0 };
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = port };
        assert_int_equal(inet_pton(AF_INET, text, &in.sin_addr), 1);
        memcpy(&a, &in, sizeof in);
        return peer_of_socket(-1, &a);
}

static struct peer of_v6(const char *text)
{
        struct sockaddr_storage a = { 0 };
        struct sockaddr_in6 in = { .sin6_family = AF_INET6, .sin6_port = 7 };
        assert_int_equal(inet_pton(AF_INET6, text, &in.sin6_addr), 1);
        memcpy(&a, &in, sizeof in);
        return peer_of_socket(-1, &a);
}

static bool same(struct peer a, struct peer b)
{
        return a.len == b.len && memcmp(a.bytes, b.bytes, a.len) == 0;
}

static void an_address_is_one_peer_whatever_the_port(void **state)
{
        (void)state;
        assert_true(same(of_v4("10.0.0.1", 1), of_v4("10.0.0.1", 2)));
        assert_false(same(of_v4("10.0.0.1", 1), of_v4("10.0.0.2", 1)));
        assert_true(same(of_v6("::ffff:10.0.0.1"), of_v4("10.0.0.1", 9)));
}

static void an_ipv6_network_is_one_peer(void **state)
{
        (void)state;
        assert_true(same(of_v6("2001:db8:1:2::1"), of_v6("2001:db8:1:2:ffff::9")));
        assert_false(same(of_v6("2001:db8:1:2::1"), of_v6("2001:db8:1:3::1")));
}

static void on_a_unix_socket_a_user_is_one_peer(void **state)
{
        (void)state;
        int pair[2], other[2];
        struct sockaddr_storage a = { .ss_family = AF_UNIX };
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
        struct peer p = peer_of_socket(pair[0], &a);
        uint32_t uid = getuid();
        assert_int_equal(p.len, 5);
        assert_memory_equal(p.bytes + 1, &uid, sizeof uid);
        assert_true(same(p, peer_of_socket(other[1], &a)));
        for (size_t i = 0; i < 2; i++) {
                close(pair[i]);
                close(other[i]);
        }
}

static void who_is_not_known_is_one_peer(void **state)
{
        (void)state;
        struct sockaddr_storage nothing = { 0 }, local = { .ss_family = AF_UNIX };
        assert_true(same(peer_of_socket(-1, &nothing), peer_of_socket(-1, &local)));
        assert_int_equal(peer_of_socket(-1, &nothing).len, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_address_is_one_peer_whatever_the_port),
                cmocka_unit_test(an_ipv6_network_is_one_peer),
                cmocka_unit_test(on_a_unix_socket_a_user_is_one_peer),
                cmocka_unit_test(who_is_not_known_is_one_peer),
        };
        return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}
