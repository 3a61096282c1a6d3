/* Requests on behalf of other callers: who may send them, for which caller they count, and how a caller ends its runs
 * by run_id. */
#include "pool/native/connection.h"
#include "pool/native/listener.h"
#include "proto/wire/frame.h"
#include "tests/unit/hear.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char trace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/* Sends an Execute on behalf of peer; NULL: for the client itself. */
static void execute(int client, uint64_t id, const char *peer, const char *run_id)
{
        const struct request r = {
                .id = id,
                .has_on_behalf = peer != NULL,
                .on_behalf = { .peer = span_of_text(peer ? peer : ""), .trace = span_of_text(trace) },
                .kind = REQUEST_EXECUTE,
                .execute = { .language = span_of_text("none"), .run_id = span_of_text(run_id) },
        };
        front_say(client, &r);
}

static void cancel_run(int client, uint64_t id, const char *peer, const char *run_id)
{
        const struct request r = {
                .id = id,
                .has_on_behalf = peer != NULL,
                .on_behalf = { .peer = span_of_text(peer ? peer : "") },
                .kind = REQUEST_CANCEL_RUN,
                .run_id = span_of_text(run_id),
        };
        front_say(client, &r);
}

static const struct outcome ended = { .end.status = OUTCOME_EXITED, .language = "none", .language_version = "" };

/* ---------------------------------------------------------------- permission */

static void an_ordinary_client_speaks_for_itself_alone(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);
        const struct request ping = {
                .id = 3, .has_on_behalf = true, .on_behalf.peer = span_of_text("4abcd"), .kind = REQUEST_PING
        };

        execute(client, 1, "4abcd", "");
        hear_error(f, client, 1, REFUSAL_PERMISSION_DENIED, "gateway");
        cancel_run(client, 2, "4abcd", "mine");
        hear_error(f, client, 2, REFUSAL_PERMISSION_DENIED, "gateway");
        front_say(client, &ping);
        hear_error(f, client, 3, REFUSAL_PERMISSION_DENIED, "gateway");
        assert_int_equal(f->core.begun, 0);
        assert_int_equal(f->core.refusals[REFUSAL_PERMISSION_DENIED], 1); /* only the Execute counts */

        execute(client, 4, NULL, ""); /* the connection stays open */
        wait_for(f, 1);
        close(client);
        front_free(f);
}

static void a_gateway_must_name_the_caller(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect_gateway(f);
        const struct request ping = { .id = 3, .kind = REQUEST_PING };
        struct answer a;
        uint8_t *bytes;

        execute(client, 1, NULL, "");
        hear_error(f, client, 1, REFUSAL_INVALID_ARGUMENT, "for which caller");
        cancel_run(client, 2, NULL, "x");
        hear_error(f, client, 2, REFUSAL_INVALID_ARGUMENT, "for which caller");
        front_say(client, &ping); /* a Ping without a caller is the gateway's own */
        front_hear(f, client, &a, &bytes);
        assert_int_equal(a.m.which_answer, hatchery_v1_ServerMessage_pong_tag);
        answer_fini(&a);
        free(bytes);
        close(client);
        front_free(f);
}

static void the_core_is_told_the_caller_and_the_answer_has_the_trace(void **state)
{
        (void)state;
        struct front *f = front_new();
        int gateway = front_connect_gateway(f), client = front_connect(f);

        execute(gateway, 1, "4abcd", "");
        wait_for(f, 1);
        assert_int_equal(f->core.caller.len, 5);
        assert_memory_equal(f->core.caller.bytes, "4abcd", 5);
        execute(client, 1, NULL, "");
        wait_for(f, 2);
        assert_int_equal(f->core.caller.len, 2); /* the client's own peer */
        front_finish(f, 0, &ended);
        front_finish(f, 1, &ended);
        hear_result(f, gateway, 1, "", trace);
        hear_result(f, client, 1, "", "");
        close(gateway);
        close(client);
        front_free(f);
}

/* ---------------------------------------------------------------- what is counted */

static void requests_in_flight_are_counted_for_each_caller_over_all_connections(void **state)
{
        (void)state;
        struct front *f = front_new();
        int one = front_connect_gateway(f), other = front_connect_gateway(f);

        f->config.caller_in_flight = 2;
        execute(one, 1, "first", "");
        execute(other, 1, "first", "");
        wait_for(f, 2);
        execute(one, 2, "first", "");
        hear_error(f, one, 2, REFUSAL_RESOURCE_EXHAUSTED, "2 requests of this caller");
        execute(other, 2, "first", "");
        hear_error(f, other, 2, REFUSAL_RESOURCE_EXHAUSTED, "2 requests of this caller");
        execute(one, 3, "second", "");
        execute(one, 4, "second", "");
        wait_for(f, 4);
        execute(one, 5, "second", "");
        hear_error(f, one, 5, REFUSAL_RESOURCE_EXHAUSTED, "2 requests of this caller");

        front_finish(f, 1, &ended); /* a request of the first caller, on the other connection */
        hear_result(f, other, 1, "", trace);
        execute(one, 6, "first", "");
        wait_for(f, 5);
        close(one);
        close(other);
        front_free(f);
}

static void a_gateway_that_dies_takes_only_its_own_runs(void **state)
{
        (void)state;
        struct front *f = front_new();
        int gateway = front_connect_gateway(f), other = front_connect_gateway(f), client = front_connect(f);

        execute(gateway, 1, "a", "");
        execute(gateway, 2, "b", "");
        wait_for(f, 2);
        execute(other, 1, "a", "");
        execute(client, 1, NULL, "");
        wait_for(f, 4);
        close(gateway);
        while (native_connections(f->native) > 2)
                front_round(f);
        assert_int_equal(f->core.abandoned, 2);
        front_finish(f, 2, &ended);
        front_finish(f, 3, &ended);
        hear_result(f, other, 1, "", trace);
        hear_result(f, client, 1, "", trace + strlen(trace));
        close(other);
        close(client);
        front_free(f);
}

static void gateways_have_room_when_clients_have_taken_theirs(void **state)
{
        (void)state;
        struct front *f = front_new();

        f->native->max_connections = 1;
        int client = front_connect(f), late = front_connect(f), gateway = front_connect_gateway(f);
        hear_error(f, late, 0, REFUSAL_RESOURCE_EXHAUSTED, "1 connections");
        execute(gateway, 1, "a", "");
        wait_for(f, 1);
        close(client);
        close(late);
        close(gateway);
        front_free(f);
}

/* Sends len bytes, which begin a frame of 1 MiB. Within such a frame, they continue it. */
static void begin_frame(int client, size_t len)
{
        static uint8_t bytes[512 * 1024];

        frame_header(bytes, false, 1 << 20);
        while (len > 0) {
                ssize_t n = write(client, bytes, len < sizeof bytes ? len : sizeof bytes);
                assert_true(n > 0);
                len -= (size_t)n;
        }
}

static void turn(struct front *f)
{
        for (int i = 0; i < 20; i++)
                front_round(f);
}

/* Many callers share a gateway's connection, so a small unfinished frame does not end it. A gateway sends large frames
 * on other connections. */
static void scarce_memory_ends_a_gateways_connection_only_for_a_large_part_of_a_frame(void **state)
{
        (void)state;
        struct front *f = front_new();
        int gateway = front_connect_gateway(f), client = front_connect(f);

        f->memory.used += 2 * f->memory.max; /* other holders have all memory */
        begin_frame(gateway, 100 * 1024);
        begin_frame(client, 100 * 1024);
        hear_error(f, client, 0, REFUSAL_RESOURCE_EXHAUSTED, "memory");
        turn(f);
        uint8_t byte;
        assert_int_equal(read(gateway, &byte, 1), -1);
        assert_int_equal(errno, EAGAIN);
        for (int i = 0; i < 3; i++) {
                begin_frame(gateway, 100 * 1024);
                turn(f);
        }
        hear_error(f, gateway, 0, REFUSAL_RESOURCE_EXHAUSTED, "memory");
        f->memory.used -= 2 * f->memory.max;
        close(gateway);
        close(client);
        front_free(f);
}

/* ---------------------------------------------------------------- runs by name */

static void a_run_is_cancelled_from_another_connection(void **state)
{
        (void)state;
        struct front *f = front_new();
        int one = front_connect_gateway(f), other = front_connect_gateway(f);

        execute(one, 1, "a", "run-1");
        execute(one, 2, "b", "run-1"); /* another caller's run may have the same name */
        wait_for(f, 2);
        cancel_run(other, 7, "c", "run-1");
        hear_cancelled(f, other, 7, false);
        cancel_run(other, 8, "a", "run-2");
        hear_cancelled(f, other, 8, false);
        assert_int_equal(f->core.cancelled, 0);

        cancel_run(other, 9, "a", "run-1");
        hear_cancelled(f, other, 9, true);
        hear_error(f, one, 1, REFUSAL_CANCELLED, "cancelled");
        assert_int_equal(f->core.cancelled, 1);
        cancel_run(other, 10, "a", "run-1");
        hear_cancelled(f, other, 10, false);
        close(one);
        close(other);
        front_free(f);
}

static void an_ordinary_client_cancels_by_name_too(void **state)
{
        (void)state;
        struct front *f = front_new();
        int one = front_connect(f), other = front_connect(f);

        f->core.cancels_late = true;
        execute(one, 1, NULL, "mine");
        wait_for(f, 1);
        for (uint64_t id = 2; id < 4; id++) {
                cancel_run(other, id, NULL, "mine");
                hear_cancelled(f, other, id, true); /* the run is in flight until its program is dead */
        }
        assert_int_equal(f->core.cancelled, 1);
        front_finish(f, 0, &ended);
        hear_result(f, one, 1, "", "");
        close(one);
        close(other);
        front_free(f);
}

static void a_gateway_that_lies_finds_no_run_of_a_native_client(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f), gateway = front_connect_gateway(f);
        const char native[] = { 7, 8, 0 }; /* as front.c names each client */

        execute(client, 1, NULL, "mine");
        wait_for(f, 1);
        cancel_run(gateway, 1, native, "mine");
        hear_cancelled(f, gateway, 1, false);
        execute(gateway, 2, native, "mine"); /* the run id is free: a gateway's callers have scopes of their own */
        wait_for(f, 2);
        close(client);
        close(gateway);
        front_free(f);
}

static void a_name_is_taken_once_and_is_free_afterwards(void **state)
{
        (void)state;
        struct front *f = front_new();
        int one = front_connect(f), other = front_connect(f);

        execute(one, 1, NULL, "mine");
        wait_for(f, 1);
        execute(other, 1, NULL, "mine");
        hear_error(f, other, 1, REFUSAL_ABORTED, "run_id mine is in flight");
        assert_int_equal(f->core.refusals[REFUSAL_ABORTED], 1);
        execute(other, 1, NULL, "mine2");
        wait_for(f, 2);
        front_finish(f, 0, &ended);
        hear_result(f, one, 1, "", "");
        execute(other, 2, NULL, "mine");
        wait_for(f, 3);

        refuse(&f->core.refusal, REFUSAL_UNAVAILABLE, "not now");
        execute(one, 2, NULL, "third");
        hear_error(f, one, 2, REFUSAL_UNAVAILABLE, "not now");
        f->core.refusal.code = 0;
        execute(one, 3, NULL, "third"); /* the refused request holds no name */
        wait_for(f, 4);
        close(one);
        close(other);
        front_free(f);
}

/* ---------------------------------------------------------------- the socket */

static int connect_to(const struct sockaddr_un *address)
{
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        assert_int_equal(connect(fd, (const struct sockaddr *)address, sizeof *address), 0);
        assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
        return fd;
}

/* Makes a listener for a gateway that runs as the user uid. */
static void listen_for(struct front *f, struct listener *l, struct sockaddr_un *address, uint32_t uid)
{
        const struct trusted_listener trusted = { 0, uid };
        struct err e = { 0 };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        snprintf(address->sun_path, sizeof address->sun_path, "/tmp/hatchery-unit-behalf.%d", (int)getpid());
        assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof *address), 0);
        assert_int_equal(listen(fd, 8), 0);
        assert_int_equal(listener_init(l, f->native, fd, &trusted, &e), 0);
}

static void another_user_is_told_that_the_socket_is_the_gateways(void **state)
{
        (void)state;
        struct front *f = front_new();
        struct sockaddr_un address;
        struct listener l;

        listen_for(f, &l, &address, (uint32_t)getuid() + 1);
        int client = connect_to(&address);
        hear_error(f, client, 0, REFUSAL_PERMISSION_DENIED, "gateway");
        close(client);
        listener_fini(&l);
        unlink(address.sun_path);
        front_free(f);
}

static void the_gateways_user_is_trusted_there(void **state)
{
        (void)state;
        struct front *f = front_new();
        struct sockaddr_un address;
        struct listener l;

        listen_for(f, &l, &address, (uint32_t)getuid());
        int client = connect_to(&address);
        execute(client, 1, "4abcd", "");
        wait_for(f, 1);
        assert_int_equal(f->core.caller.len, 5);
        close(client);
        listener_fini(&l);
        unlink(address.sun_path);
        front_free(f);
}

int main(void)
{
        signal(SIGPIPE, SIG_IGN); /* as in the pool */
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_ordinary_client_speaks_for_itself_alone),
                cmocka_unit_test(a_gateway_must_name_the_caller),
                cmocka_unit_test(the_core_is_told_the_caller_and_the_answer_has_the_trace),
                cmocka_unit_test(requests_in_flight_are_counted_for_each_caller_over_all_connections),
                cmocka_unit_test(a_gateway_that_dies_takes_only_its_own_runs),
                cmocka_unit_test(gateways_have_room_when_clients_have_taken_theirs),
                cmocka_unit_test(scarce_memory_ends_a_gateways_connection_only_for_a_large_part_of_a_frame),
                cmocka_unit_test(a_run_is_cancelled_from_another_connection),
                cmocka_unit_test(an_ordinary_client_cancels_by_name_too),
                cmocka_unit_test(a_gateway_that_lies_finds_no_run_of_a_native_client),
                cmocka_unit_test(a_name_is_taken_once_and_is_free_afterwards),
                cmocka_unit_test(another_user_is_told_that_the_socket_is_the_gateways),
                cmocka_unit_test(the_gateways_user_is_trusted_there),
        };
        return cmocka_run_group_tests_name("call-behalf", tests, NULL, NULL);
}
