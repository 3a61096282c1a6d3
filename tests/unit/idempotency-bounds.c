/* The bounds of answers that are kept for idempotency keys: their time, their memory, and each peer's part of it. */
#include "pool/native/connection.h"
#include "pool/native/idempotency.h"
#include "tests/unit/hear.h"
#include "tests/unit/unit.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { KIB = 1024 };

static char much[200 * KIB], little[2 * KIB];

/* How far the clock of this test is ahead. The linker replaces clock_us by the function below. */
static int64_t ahead_us;

int64_t __real_clock_us(void);
int64_t __wrap_clock_us(void);

int64_t __wrap_clock_us(void)
{
        return __real_clock_us() + ahead_us;
}

/* Sends an Execute on behalf of peer; NULL: for the client itself. */
static void execute(int client, uint64_t id, const char *peer, const char *key)
{
        const struct request r = {
                .id = id,
                .has_on_behalf = peer != NULL,
                .on_behalf.peer = span_of_text(peer ? peer : ""),
                .kind = REQUEST_EXECUTE,
                .execute = { .language = span_of_text("none"), .idempotency_key = span_of_text(key) },
        };
        front_say(client, &r);
}

/* Runs a keyed request to its end. */
static void run(struct front *f, int client, uint64_t id, const char *peer, const char *key, const char *out)
{
        const size_t begun = f->core.begun;
        const struct outcome o = exited(out);

        execute(client, id, peer, key);
        wait_for(f, begun + 1);
        front_finish(f, begun, &o);
        hear_result(f, client, id, out, NULL);
}

/* ---------------------------------------------------------------- memory */

/* Room for two answers of the length of much, and for many little ones. */
static void make_room_for_two(struct front *f)
{
        f->memory.max = IDEMPOTENCY_SHARE * 512 * KIB;
}

static void answers_are_forgotten_oldest_first_when_they_hold_too_much(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        make_room_for_two(f);
        for (uint64_t i = 1; i <= 3; i++) {
                char key[8];
                snprintf(key, sizeof key, "k%d", (int)i);
                run(f, client, i, NULL, key, much);
                assert_true(idempotency_weight(&f->native->idempotency) <= f->memory.max / IDEMPOTENCY_SHARE);
                assert_true(f->memory.used >= idempotency_weight(&f->native->idempotency));
        }
        assert_int_equal(f->native->idempotency.kept.n, 2);
        execute(client, 4, NULL, "k3");
        hear_result(f, client, 4, much, NULL);
        execute(client, 5, NULL, "k2");
        hear_result(f, client, 5, much, NULL);
        run(f, client, 6, NULL, "k1", "anew");
        close(client);
        front_free(f);
}

static void a_peer_that_keeps_much_evicts_its_own_answers_only(void **state)
{
        (void)state;
        struct front *f = front_new();
        int gateway = front_connect_gateway(f), client = front_connect(f);
        const char flood[] = { 7, 8, 0 }; /* the native client's address, as front.c names it */
        char key[8];

        make_room_for_two(f);
        run(f, gateway, 1, "calm", "k", little);
        run(f, client, 1, NULL, "k", little);
        for (uint64_t i = 2; i <= 7; i++) {
                snprintf(key, sizeof key, "k%d", (int)i);
                run(f, gateway, i, flood, key, much);
                assert_true(idempotency_weight(&f->native->idempotency) <= f->memory.max / IDEMPOTENCY_SHARE);
        }
        execute(gateway, 8, "calm", "k");
        hear_result(f, gateway, 8, little, NULL);
        execute(client, 8, NULL, "k");
        hear_result(f, client, 8, little, NULL);
        execute(gateway, 9, flood, "k7"); /* its newest answers are kept, too */
        hear_result(f, gateway, 9, much, NULL);
        assert_int_equal(f->native->idempotency.kept.n, 4);
        run(f, gateway, 10, flood, "k2", "anew");
        close(gateway);
        close(client);
        front_free(f);
}

static void a_peer_with_very_many_little_answers_evicts_its_own(void **state)
{
        (void)state;
        struct front *f = front_new();
        int gateway = front_connect_gateway(f);
        char key[8];

        f->memory.max = IDEMPOTENCY_SHARE * 16 * KIB;
        run(f, gateway, 1, "calm", "k", little);
        for (uint64_t i = 2; i <= 12; i++) {
                snprintf(key, sizeof key, "k%d", (int)i);
                run(f, gateway, i, "flood", key, little);
        }
        assert_in_range(f->native->idempotency.kept.n, 3, 8);
        execute(gateway, 13, "calm", "k");
        hear_result(f, gateway, 13, little, NULL);
        close(gateway);
        front_free(f);
}

/* The memory of a peer ends with its last answer. */
static void peers_leave_nothing_behind(void **state)
{
        (void)state;
        struct front *f = front_new();
        int gateway = front_connect_gateway(f);

        run(f, gateway, 1, "one", "k", "1");
        run(f, gateway, 2, "other", "k", "2");
        assert_true(f->native->idempotency.kept.peer_bytes > 0);
        ahead_us += IDEMPOTENCY_KEPT_US + 1;
        native_tick(f->native);
        assert_int_equal(idempotency_weight(&f->native->idempotency), 0);
        assert_null(f->native->idempotency.kept.peers);
        assert_null(f->native->idempotency.kept.heaviest.top);
        close(gateway);
        front_free(f);
}

static void kept_answers_make_room_for_requests(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        run(f, client, 1, NULL, "k", "kept");
        f->memory.used += f->memory.max; /* other holders have all memory */
        execute(client, 2, NULL, "other");
        wait_for(f, 2);
        assert_int_equal(f->native->idempotency.kept.n, 0);
        f->memory.used -= f->memory.max;
        const struct outcome o = exited("");
        front_finish(f, 1, &o);
        hear_result(f, client, 2, "", NULL);
        close(client);
        front_free(f);
}

/* ---------------------------------------------------------------- time */

static void an_answer_is_kept_for_a_minute(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        run(f, client, 1, NULL, "k", "old");
        ahead_us += IDEMPOTENCY_KEPT_US - 1000000;
        native_tick(f->native);
        execute(client, 2, NULL, "k");
        hear_result(f, client, 2, "old", NULL);
        ahead_us += 1000001;
        run(f, client, 3, NULL, "k", "new"); /* the old answer has expired, even before the next tick */
        assert_int_equal(f->native->idempotency.kept.n, 1);
        ahead_us += IDEMPOTENCY_KEPT_US + 1;
        native_tick(f->native);
        assert_int_equal(f->native->idempotency.kept.n, 0);
        close(client);
        front_free(f);
}

static void a_forgotten_answer_is_made_anew(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        run(f, client, 1, NULL, "k", "old");
        idempotency_forget_one(&f->native->idempotency, &f->memory);
        assert_int_equal(f->native->idempotency.kept.n, 0);
        assert_false(idempotency_forget_one(&f->native->idempotency, &f->memory));
        run(f, client, 2, NULL, "k", "new");
        close(client);
        front_free(f);
}

int main(void)
{
        signal(SIGPIPE, SIG_IGN); /* as in the pool */
        memset(much, 'x', sizeof much - 1);
        memset(little, 'y', sizeof little - 1);
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(answers_are_forgotten_oldest_first_when_they_hold_too_much),
                cmocka_unit_test(a_peer_that_keeps_much_evicts_its_own_answers_only),
                cmocka_unit_test(a_peer_with_very_many_little_answers_evicts_its_own),
                cmocka_unit_test(peers_leave_nothing_behind),
                cmocka_unit_test(kept_answers_make_room_for_requests),
                cmocka_unit_test(an_answer_is_kept_for_a_minute),
                cmocka_unit_test(a_forgotten_answer_is_made_anew),
        };
        return cmocka_run_group_tests_name("idempotency-bounds", tests, NULL, NULL);
}
