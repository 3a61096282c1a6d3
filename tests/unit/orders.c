/* What a zygote says to orders that no pool gives: those that a pool sends which was taken over. */
#include "zygote/ceilings.h"
#include "zygote/serve_parts.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

enum { MEMORY = 64 << 20, DISK = 32 << 20, PIDS = 8, SLOT = 3 };

/* The slot's last sandbox is going, so an order to make another is noted, and nothing is forked. */
static struct serve *going(void)
{
        struct serve *s = calloc(1, sizeof *s);
        assert_non_null(s);
        s->ceilings = (struct ceilings){ .memory_bytes = MEMORY, .disk_bytes = DISK, .pids = PIDS };
        s->last_sandbox = 10;
        s->at[SLOT].state = SANDBOX_GOING;
        return s;
}

static struct order at_the_ceilings(uint32_t kind)
{
        return (struct order){
                .kind = kind, .slot = SLOT, .sandbox = 11, .memory_bytes = MEMORY, .disk_bytes = DISK, .pids = PIDS
        };
}

static int give(const struct order *o, struct err *e)
{
        struct serve *s = going();
        *e = (struct err){ 0 };
        int r = serve_on_order(s, o, -1, 0, e);
        bool noted = s->at[SLOT].remake;
        free(s);
        assert_true(noted == (r == 0 && o->kind == ORDER_MAKE));
        return r;
}

static void an_order_within_the_ceilings_is_taken(void **state)
{
        (void)state;
        struct err e;
        struct order o = at_the_ceilings(ORDER_MAKE);

        assert_int_equal(give(&o, &e), 0);
        o.memory_bytes = o.disk_bytes = o.pids = 1;
        o.urgent = 1;
        assert_int_equal(give(&o, &e), 0);
        o = at_the_ceilings(ORDER_LIMIT); /* late: its sandbox is gone */
        assert_int_equal(give(&o, &e), 0);
        o = (struct order){ .kind = ORDER_KILL, .slot = SLOT, .sandbox = 11 }; /* it speaks of no limits */
        assert_int_equal(give(&o, &e), 0);
}

static void a_limit_above_its_ceiling_or_below_one_ends_the_zygote(void **state)
{
        (void)state;
        static const uint32_t kinds[] = { ORDER_MAKE, ORDER_LIMIT };

        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
                struct order o = at_the_ceilings(kinds[k]);
                struct {
                        int64_t *field;
                        const char *name;
                } const rows[] = { { &o.memory_bytes, "memory" }, { &o.disk_bytes, "disk" }, { &o.pids, "pids" } };

                for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                        const int64_t good = *rows[i].field;
                        const int64_t bad[] = { good + 1, INT64_MAX, 0, -1, INT64_MIN };
                        for (size_t j = 0; j < sizeof bad / sizeof bad[0]; j++) {
                                struct err e;
                                *rows[i].field = bad[j];
                                int r = give(&o, &e);
                                assert_refused(r, &e, EPROTO, rows[i].name);
                        }
                        *rows[i].field = good;
                }
        }
}

static void a_number_that_no_pool_gives_ends_the_zygote(void **state)
{
        (void)state;
        static const struct {
                struct order order;
                const char *word;
        } rows[] = {
                { { .kind = 0 }, "order 0" },
                { { .kind = ORDER_PING + 1 }, "order 9" },
                { { .kind = UINT32_MAX }, "order" },
                { { .kind = ORDER_KILL, .slot = CHANNEL_MAX_SLOTS }, "slot 1024" },
                { { .kind = ORDER_KILL, .slot = UINT32_MAX }, "slot" },
                { { .kind = ORDER_PING, .unused = 1 }, "fields" },
                { { .kind = ORDER_LIMIT, .urgent = 1 }, "fields" },
                { { .kind = ORDER_MAKE, .urgent = 2, .sandbox = 11 }, "fields" },
                { { .kind = ORDER_MAKE, .sandbox = 10 }, "numbered" },
                { { .kind = ORDER_MAKE, .sandbox = 0 }, "numbered" },
        };

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct err e;
                int r = give(&rows[i].order, &e);
                assert_refused(r, &e, EPROTO, rows[i].word);
        }
}

static void ceilings_cross_the_command_line(void **state)
{
        (void)state;
        static const char *const bad[] = { "",
                                           "1",
                                           "1:2",
                                           "1:2:",
                                           "1:2:3:",
                                           "1:2:3:4",
                                           "1:2:-3",
                                           "0:1:1",
                                           "1:2:x",
                                           "1:2: 3",
                                           "99999999999999999999:1:1",
                                           "9223372036854775808:1:1" };
        const struct ceilings from = { .memory_bytes = INT64_MAX, .disk_bytes = 1, .pids = INT64_MAX };
        struct ceilings to = { 0 };
        char arg[CEILINGS_ARG_SIZE];
        struct err e = { 0 };

        ceilings_to_arg(&from, arg);
        assert_int_equal(ceilings_from_arg(&to, arg, &e), 0);
        assert_memory_equal(&from, &to, sizeof to);
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
                assert_refused(ceilings_from_arg(&to, bad[i], &e), &e, EINVAL, "ceilings");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_order_within_the_ceilings_is_taken),
                cmocka_unit_test(a_limit_above_its_ceiling_or_below_one_ends_the_zygote),
                cmocka_unit_test(a_number_that_no_pool_gives_ends_the_zygote),
                cmocka_unit_test(ceilings_cross_the_command_line),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
