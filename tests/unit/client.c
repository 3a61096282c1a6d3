/* libhatchery against a server that each test scripts: a forked child on a unix socket, which reads and writes whole
 * frames in the order that the test is about. The child ends with 0 if it saw all that it expected. */
#include "client/hatchery.h"
#include "proto/base/io.h"
#include "proto/base/own.h"
#include "proto/wire/frame.h"
#include "proto/wire/lz4.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { GUARD_S = 60, LARGE = 8 << 20 };

struct server {
        char directory[64];
        char address[96];
        pid_t pid;
};

typedef int (*script)(int sock);

/* Reads one frame and returns its request's id, or 0 if anything is wrong. */
static uint64_t read_request(int sock, bool *compressed)
{
        uint8_t header[WIRE_HEADER_SIZE];
        struct frame f;
        if (io_read_all(sock, header, sizeof header) < 0 ||
            frame_parse(&f, header, sizeof header, WIRE_MAX_REQUEST, NULL) != FRAME_OK)
                return 0;
        OWN_MEM uint8_t *message = malloc(f.length + 1);
        OWN_MEM uint8_t *plain = NULL;
        size_t len = f.length;
        if (!message || io_read_all(sock, message, f.length) < 0)
                return 0;
        if (f.compressed && lz4_unpack(message, f.length, WIRE_MAX_REQUEST, &plain, &len, NULL) < 0)
                return 0;
        if (compressed)
                *compressed = f.compressed;
        struct request q;
        uint64_t id = request_decode(&q, f.compressed ? plain : message, len, NULL) == 0 ? q.id : 0;
        request_fini(&q);
        return id;
}

static int write_message(int sock, struct answer *a, bool compress)
{
        OWN_MEM uint8_t *plain = NULL;
        OWN_MEM uint8_t *packed = NULL;
        size_t len = 0;
        if (answer_encode(a, WIRE_HEADER_SIZE, &plain, &len, NULL) < 0)
                return -EINVAL;
        uint8_t *message = plain;
        if (compress) {
                size_t packed_len;
                if (lz4_pack(message + WIRE_HEADER_SIZE, len, WIRE_HEADER_SIZE, &packed, &packed_len, NULL) != LZ4_OK)
                        return -EINVAL;
                message = packed;
                len = packed_len;
        }
        frame_header(message, compress, (uint32_t)len);
        return io_send_all(sock, message, WIRE_HEADER_SIZE + len);
}

static int write_result(int sock, uint64_t id, size_t out_len, bool compress)
{
        OWN_MEM uint8_t *out = malloc(out_len + 1);
        if (!out)
                return -ENOMEM;
        memset(out, 'x', out_len);
        struct answer a = { .m = hatchery_v1_ServerMessage_init_zero };
        a.m.id = id;
        a.m.which_answer = hatchery_v1_ServerMessage_result_tag;
        a.m.answer.result = (hatchery_v1_Result)hatchery_v1_Result_init_zero;
        a.m.answer.result.status = hatchery_v1_Result_Status_EXITED;
        a.out = (struct span){ out, out_len };
        return write_message(sock, &a, compress);
}

static int write_refusal(int sock, uint64_t id)
{
        struct answer a = { .m = hatchery_v1_ServerMessage_init_zero };
        a.m.id = id;
        a.m.which_answer = hatchery_v1_ServerMessage_error_tag;
        a.m.answer.error = (hatchery_v1_Error)hatchery_v1_Error_init_zero;
        a.m.answer.error.code = hatchery_v1_Error_Code_INVALID_ARGUMENT;
        snprintf(a.m.answer.error.message, sizeof a.m.answer.error.message, "%s", "too long");
        return write_message(sock, &a, false);
}

static void server_init(struct server *s, script play)
{
        snprintf(s->directory, sizeof s->directory, "/tmp/test-client-XXXXXX");
        assert_non_null(mkdtemp(s->directory));
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        snprintf(sa.sun_path, sizeof sa.sun_path, "%s/socket", s->directory);
        snprintf(s->address, sizeof s->address, "unix:%s/socket", s->directory);
        OWN_FD int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(listener >= 0);
        assert_return_code(bind(listener, (struct sockaddr *)&sa, sizeof sa), errno);
        assert_return_code(listen(listener, 1), errno);

        s->pid = fork();
        assert_return_code(s->pid, errno);
        if (s->pid == 0) {
                alarm(GUARD_S);
                int sock = accept(listener, NULL, NULL);
                _exit(sock >= 0 && play(sock) == 0 ? 0 : 1);
        }
        alarm(GUARD_S);
}

/* Fails unless the child saw all that it expected. */
static void server_fini(struct server *s)
{
        int status;
        assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        alarm(0);

        char path[96];
        snprintf(path, sizeof path, "%s/socket", s->directory);
        assert_return_code(unlink(path), errno);
        assert_return_code(rmdir(s->directory), errno);
}

static struct hatchery *connected(const struct server *s)
{
        struct hatchery *h = NULL;
        struct err e = { 0 };
        assert_int_equal(hatchery_connect(&h, s->address, &e), HATCHERY_OK);
        assert_non_null(h);
        return h;
}

/* A request with input of len bytes, borrowed from input. */
static struct request request_of(uint64_t id, const uint8_t *input, size_t len)
{
        struct request q = { .id = id, .kind = REQUEST_EXECUTE };
        q.execute.language = span_of_text("python");
        q.execute.has_code = true;
        q.execute.standard_input = (struct span){ input, len };
        return q;
}

static int answer_in_reverse(int sock)
{
        uint64_t ids[3];
        for (int i = 0; i < 3; i++)
                ids[i] = read_request(sock, NULL);
        for (int i = 2; i >= 0; i--)
                if (write_result(sock, ids[i], 10, false) < 0)
                        return -1;
        return 0;
}

static void answers_come_in_the_order_of_the_server(void **state)
{
        (void)state;
        struct server s;
        server_init(&s, answer_in_reverse);
        struct hatchery *h = connected(&s);
        for (uint64_t id = 1; id <= 3; id++) {
                struct request q = request_of(id, NULL, 0);
                assert_int_equal(hatchery_send(h, &q, NULL), HATCHERY_OK);
        }
        for (uint64_t id = 3; id >= 1; id--) {
                struct hatchery_answer a;
                assert_int_equal(hatchery_receive(h, &a, -1, NULL), HATCHERY_OK);
                assert_int_equal(a.answer.m.id, id);
                assert_int_equal(a.answer.out.len, 10);
                hatchery_answer_fini(&a);
                hatchery_answer_fini(&a);
        }
        struct err e;
        struct hatchery_answer a;
        assert_int_equal(hatchery_receive(h, &a, -1, &e), -ECONNRESET);
        hatchery_close(h);
        server_fini(&s);
}

static int answer_before_reading(int sock)
{
        if (write_result(sock, 7, LARGE, false) < 0 || write_result(sock, 8, LARGE, false) < 0)
                return -1;
        return read_request(sock, NULL) == 9 ? write_result(sock, 9, 1, false) : -1;
}

static void a_server_that_answers_before_it_reads_is_no_deadlock(void **state)
{
        (void)state;
        struct server s;
        server_init(&s, answer_before_reading);
        struct hatchery *h = connected(&s);
        OWN_MEM uint8_t *input = calloc(1, LARGE);
        assert_non_null(input);
        struct request q = request_of(9, input, LARGE);
        assert_int_equal(hatchery_send(h, &q, NULL), HATCHERY_OK);
        for (uint64_t id = 7; id <= 9; id++) {
                struct hatchery_answer a;
                assert_int_equal(hatchery_receive(h, &a, -1, NULL), HATCHERY_OK);
                assert_int_equal(a.answer.m.id, id);
                assert_int_equal(a.answer.out.len, id == 9 ? 1 : LARGE);
                hatchery_answer_fini(&a);
        }
        hatchery_close(h);
        server_fini(&s);
}

/* Reads a little of the request, refuses the connection, and reads no further. */
static int refuse_early(int sock)
{
        uint8_t header[WIRE_HEADER_SIZE];
        if (io_read_all(sock, header, sizeof header) < 0 || write_refusal(sock, 0) < 0)
                return -1;
        return shutdown(sock, SHUT_WR);
}

static void the_reason_of_a_server_that_closes_early_is_not_lost(void **state)
{
        (void)state;
        struct server s;
        server_init(&s, refuse_early);
        struct hatchery *h = connected(&s);
        OWN_MEM uint8_t *input = calloc(1, LARGE);
        assert_non_null(input);
        struct request q = request_of(0, input, LARGE);
        struct hatchery_answer a = { 0 };
        assert_int_equal(hatchery_call(h, &q, &a, NULL), HATCHERY_OK);
        assert_int_equal(a.answer.m.id, 0);
        assert_int_equal(a.answer.m.which_answer, hatchery_v1_ServerMessage_error_tag);
        assert_string_equal(a.answer.m.answer.error.message, "too long");
        hatchery_answer_fini(&a);
        assert_int_equal(hatchery_send(h, &q, NULL), -EPIPE);
        hatchery_close(h);
        server_fini(&s);
}

static int expect_compression(int sock)
{
        bool compressed = true;
        if (read_request(sock, &compressed) != 1 || compressed || write_result(sock, 1, 1, false) < 0)
                return -1; /* the small request is not compressed */
        if (read_request(sock, &compressed) != 2 || !compressed)
                return -1;
        return write_result(sock, 2, LARGE, true);
}

static void large_messages_are_compressed_both_ways(void **state)
{
        (void)state;
        struct server s;
        server_init(&s, expect_compression);
        struct hatchery *h = connected(&s);
        hatchery_set_compress(h, true);
        OWN_MEM uint8_t *input = calloc(1, LARGE);
        assert_non_null(input);
        for (uint64_t id = 1; id <= 2; id++) {
                struct request q = request_of(0, input, id == 1 ? 1 : LARGE);
                struct hatchery_answer a;
                assert_int_equal(hatchery_call(h, &q, &a, NULL), HATCHERY_OK);
                assert_int_equal(a.answer.m.id, id);
                assert_int_equal(a.answer.out.len, id == 1 ? 1 : LARGE);
                hatchery_answer_fini(&a);
        }
        hatchery_close(h);
        server_fini(&s);
}

static int answer_too_long(int sock)
{
        return read_request(sock, NULL) == 1 ? write_result(sock, 1, 5000, false) : -1;
}

static int answer_too_long_packed(int sock)
{
        return read_request(sock, NULL) == 1 ? write_result(sock, 1, 5000, true) : -1;
}

static void an_answer_over_the_ceiling_ends_the_connection(void **state)
{
        (void)state;
        const script scripts[] = { answer_too_long, answer_too_long_packed };
        for (size_t i = 0; i < 2; i++) {
                struct server s;
                server_init(&s, scripts[i]);
                struct hatchery *h = connected(&s);
                hatchery_set_max_answer(h, 4096);
                struct request q = request_of(0, NULL, 0);
                struct hatchery_answer a;
                struct err e = { 0 };
                assert_int_equal(hatchery_call(h, &q, &a, &e), -EMSGSIZE);
                assert_non_null(strstr(e.text, "4096"));
                assert_null(a.buffer);
                assert_int_equal(hatchery_send(h, &q, &e), -EPIPE);
                hatchery_close(h);
                server_fini(&s);
        }
}

static int answer_in_pieces(int sock)
{
        if (read_request(sock, NULL) != 1)
                return -1;
        struct answer a = { .m = hatchery_v1_ServerMessage_init_zero };
        a.m.id = 1;
        a.m.which_answer = hatchery_v1_ServerMessage_pong_tag;
        OWN_MEM uint8_t *frame = NULL;
        size_t len = 0;
        if (answer_encode(&a, WIRE_HEADER_SIZE, &frame, &len, NULL) < 0)
                return -1;
        frame_header(frame, false, (uint32_t)len);
        for (size_t i = 0; i < WIRE_HEADER_SIZE + len; i++) {
                if (i == 3 && recv(sock, &(uint8_t){ 0 }, 1, 0) != 1) /* waits until the client's timeout is over */
                        return -1;
                if (io_send_all(sock, frame + i, 1) < 0)
                        return -1;
        }
        return 0;
}

static void a_timeout_in_the_middle_of_an_answer_loses_nothing(void **state)
{
        (void)state;
        struct server s;
        server_init(&s, answer_in_pieces);
        struct hatchery *h = connected(&s);
        struct request q = request_of(1, NULL, 0);
        struct hatchery_answer a;
        assert_int_equal(hatchery_send(h, &q, NULL), HATCHERY_OK);
        assert_int_equal(hatchery_receive(h, &a, 20, NULL), HATCHERY_TIMEOUT);
        assert_int_equal(send(hatchery_fd(h), "", 1, 0), 1);
        assert_int_equal(hatchery_receive(h, &a, -1, NULL), HATCHERY_OK);
        assert_int_equal(a.answer.m.which_answer, hatchery_v1_ServerMessage_pong_tag);
        hatchery_answer_fini(&a);
        hatchery_close(h);
        server_fini(&s);
}

static int answer_somebody_else(int sock)
{
        return write_result(sock, read_request(sock, NULL) + 1, 1, false);
}

static void an_answer_to_another_request_is_no_answer(void **state)
{
        (void)state;
        struct server s;
        server_init(&s, answer_somebody_else);
        struct hatchery *h = connected(&s);
        struct request q = request_of(5, NULL, 0);
        struct hatchery_answer a;
        assert_int_equal(hatchery_call(h, &q, &a, NULL), -EPROTO);
        assert_null(a.buffer);
        hatchery_close(h);
        server_fini(&s);
}

static void bad_addresses_are_refused_with_advice(void **state)
{
        (void)state;
        static const char *const bad[] = {
                "127.0.0.1", ":7070", "127.0.0.1:",           "::1:7070", "[::1]7070", "[]:7070",
                "[::1",      "unix:", "unix:/no/such/socket",
        };
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
                struct hatchery *h = NULL;
                struct err e = { 0 };
                assert_true(hatchery_connect(&h, bad[i], &e) < 0);
                assert_null(h);
                assert_true(strlen(e.text) > 20);
        }
}

static void the_environment_names_the_server(void **state)
{
        (void)state;
        assert_return_code(setenv("HATCHERY_ADDR", "unix:/x", 1), errno);
        assert_string_equal(hatchery_address(NULL), "unix:/x");
        assert_string_equal(hatchery_address("a:1"), "a:1");
        assert_return_code(unsetenv("HATCHERY_ADDR"), errno);
        assert_string_equal(hatchery_address(NULL), HATCHERY_DEFAULT_ADDRESS);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(answers_come_in_the_order_of_the_server),
                cmocka_unit_test(a_server_that_answers_before_it_reads_is_no_deadlock),
                cmocka_unit_test(the_reason_of_a_server_that_closes_early_is_not_lost),
                cmocka_unit_test(large_messages_are_compressed_both_ways),
                cmocka_unit_test(an_answer_over_the_ceiling_ends_the_connection),
                cmocka_unit_test(a_timeout_in_the_middle_of_an_answer_loses_nothing),
                cmocka_unit_test(an_answer_to_another_request_is_no_answer),
                cmocka_unit_test(bad_addresses_are_refused_with_advice),
                cmocka_unit_test(the_environment_names_the_server),
        };
        return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
