/* A zygote's answers to orders that no honest pool gives: only a pool that was taken over sends them. */
#include "zygote/base/ceilings.h"
#include "zygote/serve_parts.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MEMORY = 64 << 20, DISK = 32 << 20, PIDS = 8, SLOT = 3, PATIENCE_S = 120 };

/* The slot's last sandbox is being taken down, so the zygote only notes an order to make another, and forks nothing. */
static struct serve *going(void)
{
        struct serve *s = calloc(1, sizeof *s);
        assert_non_null(s);
        s->ceilings = (struct ceilings){ .memory_bytes = MEMORY, .disk_bytes = DISK, .pids = PIDS };
        s->last_sandbox = 10;
        s->at[SLOT].state = TENANT_GOING;
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
        o = at_the_ceilings(ORDER_LIMIT); /* a late order: its sandbox is gone */
        assert_int_equal(give(&o, &e), 0);
        o = (struct order){ .kind = ORDER_KILL, .slot = SLOT, .sandbox = 11 }; /* this order has no limits */
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
                { { .kind = ORDER_SIGNAL + 1 }, "order 10" },
                { { .kind = UINT32_MAX }, "order" },
                { { .kind = ORDER_KILL, .slot = CHANNEL_MAX_SLOTS }, "slot 1024" },
                { { .kind = ORDER_KILL, .slot = UINT32_MAX }, "slot" },
                { { .kind = ORDER_PING, .signal = 1 }, "fields" },
                { { .kind = ORDER_KILL, .signal = SIGINT, .slot = SLOT, .sandbox = 11 }, "fields" },
                { { .kind = ORDER_SIGNAL, .slot = SLOT, .sandbox = 11 }, "fields" },
                { { .kind = ORDER_SIGNAL, .signal = CHANNEL_MAX_SIGNAL + 1, .slot = SLOT, .sandbox = 11 }, "fields" },
                { { .kind = ORDER_SIGNAL, .signal = UINT32_MAX, .slot = SLOT, .sandbox = 11 }, "fields" },
                { { .kind = ORDER_LIMIT, .urgent = 1 }, "fields" },
                { { .kind = ORDER_LIMIT, .terminal = 1 }, "fields" },
                { { .kind = ORDER_KILL, .terminal = 1, .slot = SLOT, .sandbox = 11 }, "fields" },
                { { .kind = ORDER_MAKE, .terminal = 2, .sandbox = 11 }, "fields" },
                { { .kind = ORDER_MAKE, .terminal = UINT32_MAX, .sandbox = 11 }, "fields" },
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

/* The tests have a main process as the step "session" leaves it, and its child. Each writes a byte for every SIGINT. */
static int told_to;

static void tell_of_it(int number)
{
        (void)number;
        if (write(told_to, "i", 1) != 1)
                _exit(1);
}

static pid_t main_process(int told, int parent_only)
{
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        told_to = told;
        if (setsid() < 0 || signal(SIGINT, tell_of_it) == SIG_ERR || (!parent_only && fork() < 0) ||
            prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || write(told, "r", 1) != 1)
                _exit(1);
        for (;;)
                pause();
}

static void assert_told(int from, const char *what)
{
        for (; *what; what++) {
                char byte = 0;
                assert_int_equal(read(from, &byte, 1), 1);
                assert_int_equal(byte, *what);
        }
}

static void give_signal(struct serve *s, int number, uint64_t sandbox)
{
        struct err e = { 0 };
        const struct order o = { .kind = ORDER_SIGNAL, .slot = SLOT, .sandbox = sandbox, .signal = (uint32_t)number };
        assert_int_equal(serve_on_order(s, &o, -1, 0, &e), 0);
}

static void a_signal_reaches_the_group_of_a_living_sandbox_and_none_other(void **state)
{
        (void)state;
        int ends[2], other_ends[2], status;
        char byte;
        alarm(PATIENCE_S);
        struct serve *s = going();
        struct tenant *sb = &s->at[SLOT];
        assert_int_equal(pipe2(ends, O_CLOEXEC) | pipe2(other_ends, O_CLOEXEC | O_NONBLOCK), 0);
        pid_t pid = main_process(ends[1], 0), other = main_process(other_ends[1], 1);
        assert_told(ends[0], "rr");
        while (read(other_ends[0], &byte, 1) != 1)
                assert_int_equal(errno, EAGAIN);
        *sb = (struct tenant){ .state = TENANT_ALIVE, .id = 11, .pid = pid, .pidfd = -1 };

        give_signal(s, SIGINT, 11);
        assert_told(ends[0], "ii");
        give_signal(s, SIGSTOP, 11);
        assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
        assert_true(WIFSTOPPED(status));
        give_signal(s, SIGINT, 11); /* arrives when the processes go on */
        give_signal(s, SIGCONT, 11);
        assert_told(ends[0], "ii");

        give_signal(s, SIGKILL, 10); /* a late order: for the previous sandbox */
        static const enum tenant_state others[] = { TENANT_NONE, TENANT_BOOTING, TENANT_REAPING, TENANT_DEAD,
                                                    TENANT_GOING };
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
                sb->state = others[i];
                give_signal(s, SIGKILL, 11);
        }
        sb->state = TENANT_ALIVE;
        sb->pid = 0; /* 0 would mean this process's own group */
        struct err e = { 0 };
        assert_refused(tenant_signal(sb, SIGKILL, &e), &e, ESRCH, "no main process");
        sb->pid = pid;
        give_signal(s, SIGINT, 11); /* all processes of the sandbox are still alive */
        assert_told(ends[0], "ii");
        give_signal(s, SIGKILL, 11);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(read(other_ends[0], &byte, 1), -1);
        give_signal(s, SIGKILL, 11); /* its group is gone, which is no error */

        assert_int_equal(kill(other, SIGKILL), 0);
        assert_int_equal(waitpid(other, NULL, 0), other);
        alarm(0);
        free(s);
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
                assert_refused(ceilings_from_arg(&to, bad[i], &e), &e, EINVAL, "three numbers");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_order_within_the_ceilings_is_taken),
                cmocka_unit_test(a_limit_above_its_ceiling_or_below_one_ends_the_zygote),
                cmocka_unit_test(a_number_that_no_pool_gives_ends_the_zygote),
                cmocka_unit_test(a_signal_reaches_the_group_of_a_living_sandbox_and_none_other),
                cmocka_unit_test(ceilings_cross_the_command_line),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
