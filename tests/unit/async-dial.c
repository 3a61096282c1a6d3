/* How the asynchronous client connects to its server: names, addresses, and the time limit of an attempt. */
#include "client/async.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"
#include "tests/unit/fake.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned failures;
static struct err last_why;

static void count_failure(void *data, struct hatchery_client *c, const struct err *why, int64_t retry_ms)
{
        (void)data;
        (void)c;
        (void)retry_ms;
        failures++;
        last_why = *why;
}

static const struct hatchery_client_ops counting = { .disconnected = count_failure };

static void addresses_that_lead_nowhere_fail_what_waits(void **state)
{
        (void)state;
        static const struct {
                const char *address, *word;
        } rows[] = {
                { "unix:/no/such/socket", "No such file" },
                { "127.0.0.1:1", "refused" },
                { "[::1]:1", "" },
                { "no-such-host.invalid:7070", "look up" },
        };
        const struct request q = heard_program();

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct hatchery_client *c = NULL;
                struct heard h = { 0 };
                const struct hatchery_client_config config = { .address = rows[i].address,
                                                               .once = true,
                                                               .ops = &counting };
                failures = 0;
                assert_int_equal(hatchery_client_new(&c, &config, NULL), HATCHERY_OK);
                assert_int_equal(heard_send(&h, c, &q, NULL), HATCHERY_OK);
                while (h.ends == 0)
                        assert_int_equal(hatchery_client_wait(c, 20000, NULL), HATCHERY_OK);
                assert_int_equal(failures, 1);
                assert_int_equal(h.failure.kind, HATCHERY_NOT_CONNECTED);
                assert_false(h.failure.may_have_run);
                assert_non_null(strstr(h.failure.error.text, rows[i].word));
                hatchery_client_free(c);
        }
}

static void addresses_that_are_none_are_refused(void **state)
{
        (void)state;
        static const char *const bad[] = { "127.0.0.1", ":7070", "::1:7070", "unix:" };
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
                struct hatchery_client *c = NULL;
                struct err e = { 0 };
                const struct hatchery_client_config config = { .address = bad[i] };
                assert_int_equal(hatchery_client_new(&c, &config, &e), -EINVAL);
                assert_null(c);
                assert_true(strlen(e.text) > 20);
        }
}

static void a_name_is_looked_up_and_its_addresses_are_tried(void **state)
{
        (void)state;
        struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof sa;
        char address[64];
        OWN_FD int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(bind(listener, (struct sockaddr *)&sa, sizeof sa), errno);
        assert_return_code(listen(listener, 1), errno);
        assert_return_code(getsockname(listener, (struct sockaddr *)&sa, &size), errno);
        snprintf(address, sizeof address, "localhost:%u", ntohs(sa.sin_port)); /* if the host has ::1, it is first */

        struct hatchery_client *c = NULL;
        const struct hatchery_client_config config = { .address = address };
        assert_int_equal(hatchery_client_new(&c, &config, NULL), HATCHERY_OK);
        while (!hatchery_client_is_connected(c))
                assert_int_equal(hatchery_client_wait(c, 20000, NULL), HATCHERY_OK);
        hatchery_client_free(c);

        /* A client that is freed while its server's name is being looked up. */
        assert_int_equal(hatchery_client_new(&c, &config, NULL), HATCHERY_OK);
        hatchery_client_dispatch(c);
        hatchery_client_free(c);
}

static void an_attempt_has_its_time(void **state)
{
        (void)state;
        /* A listening socket whose queue is full leaves the next connection waiting. */
        struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof sa;
        char address[64];
        int fill[8];
        OWN_FD int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(bind(listener, (struct sockaddr *)&sa, sizeof sa), errno);
        assert_return_code(listen(listener, 0), errno);
        assert_return_code(getsockname(listener, (struct sockaddr *)&sa, &size), errno);
        for (int i = 0; i < 8; i++) {
                fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                (void)connect(fill[i], (struct sockaddr *)&sa, sizeof sa);
        }
        snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(sa.sin_port));

        struct hatchery_client *c = NULL;
        const struct hatchery_client_config config = {
                .address = address, .connect_ms = 100, .once = true, .ops = &counting
        };
        failures = 0;
        assert_int_equal(hatchery_client_new(&c, &config, NULL), HATCHERY_OK);
        const int64_t before = clock_ms();
        while (failures == 0)
                assert_int_equal(hatchery_client_wait(c, 20000, NULL), HATCHERY_OK);
        assert_in_range(clock_ms() - before, 95, 10000);
        assert_int_equal(last_why.code, ETIMEDOUT);
        hatchery_client_free(c);
        for (int i = 0; i < 8; i++)
                close(fill[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(addresses_that_lead_nowhere_fail_what_waits),
                cmocka_unit_test(addresses_that_are_none_are_refused),
                cmocka_unit_test(a_name_is_looked_up_and_its_addresses_are_tried),
                cmocka_unit_test(an_attempt_has_its_time),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
