/* How much of a gateway's connection one turn handles. The clock here goes on by a fixed step whenever it is read. */
#include "pool/native/connection.h"
#include "pool/native/turns.h"
#include "tests/unit/front.h"
#include "tests/unit/unit.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { STEP_US = TURN_US / 4, PINGS = 200 };

static int64_t now_us = 1000000;

/* The linker replaces clock_us by this function. */
int64_t __wrap_clock_us(void);

int64_t __wrap_clock_us(void)
{
        return now_us += STEP_US;
}

static void ping(int client, uint64_t id)
{
        const struct request r = { .id = id, .kind = REQUEST_PING };
        front_say(client, &r);
}

static int unheard(int client)
{
        int bytes;
        assert_int_equal(ioctl(client, FIONREAD, &bytes), 0);
        return bytes;
}

/* The number of Pings that one turn answers, while so many callers have a request in flight. */
static int pings_of_a_turn(unsigned callers)
{
        struct front *f = front_new();
        int client = front_connect_gateway(f);

        for (uint64_t id = 1; id <= callers; id++) {
                const uint8_t peer = (uint8_t)id;
                const struct request r = {
                        .id = id,
                        .has_on_behalf = true,
                        .on_behalf.peer = { &peer, 1 },
                        .kind = REQUEST_EXECUTE,
                        .execute.language = span_of_text("none"),
                };
                front_say(client, &r);
                while (f->core.begun < id)
                        front_round(f);
        }
        ping(client, 100);
        while (unheard(client) == 0)
                front_round(f);
        const int one = unheard(client);

        for (uint64_t i = 1; i <= PINGS; i++)
                ping(client, 100 + i);
        while (unheard(client) == one)
                front_round(f);
        const int n = (unheard(client) - one) / one;
        close(client);
        front_free(f);
        return n;
}

static void a_turn_is_as_long_as_one_of_each_caller_up_to_a_bound(void **state)
{
        (void)state;
        const int alone = pings_of_a_turn(1);

        assert_in_range(alone, 2, 8);
        assert_in_range(pings_of_a_turn(3), 3 * alone - 2, 3 * alone + 2);
        assert_in_range(pings_of_a_turn(5), 5 * alone - 4, 5 * alone + 4);
        assert_int_equal(pings_of_a_turn(12), pings_of_a_turn(5));
}

int main(void)
{
        signal(SIGPIPE, SIG_IGN); /* as in the pool */
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_turn_is_as_long_as_one_of_each_caller_up_to_a_bound),
        };
        return cmocka_run_group_tests_name("connection-turns", tests, NULL, NULL);
}
