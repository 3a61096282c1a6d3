/* Several connections: a flood of requests on one does not make the others wait. The core here refuses each submission.
 * The test drives the loop round by round. */
#include "pool/native/connection_parts.h"
#include "proto/wire/answer.h"
#include "proto/wire/frame.h"
#include "proto/wire/lz4.h"
#include "tests/unit/front.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MIB = 1 << 20, READ = 64 << 10 };

/* The client's end of one connection. */
struct client {
        int fd;
        const struct connection *connection; /* the other end */
        uint8_t *bytes;                      /* of answers */
        size_t have, room, at;
        uint64_t last; /* id of the last answer */
        unsigned answers;
};

static struct front *new_front(void)
{
        struct front *f = front_new();
        refuse(&f->core.refusal, REFUSAL_NOT_FOUND, "there is no such language here");
        return f;
}

static void free_front(struct front *f)
{
        while (!LIST_EMPTY(&f->native->connections))
                connection_free(LIST_FIRST(&f->native->connections));
        assert_null(f->native->hoards.top);
        front_free(f);
}

static struct client connect_to(struct front *f)
{
        int fd = front_connect(f);
        return (struct client){ .fd = fd, .connection = LIST_FIRST(&f->native->connections) };
}

static void leave(struct client *c)
{
        close(c->fd);
        free(c->bytes);
}

/* Sends as much as the socket takes, and returns that length. */
static size_t offer(const struct client *c, const uint8_t *data, size_t len)
{
        ssize_t n = write(c->fd, data, len);
        assert_true(n >= 0 || errno == EAGAIN);
        return n < 0 ? 0 : (size_t)n;
}

static size_t put_request(uint8_t *at, uint8_t field, uint64_t id)
{
        /* id as a number of two bytes, and an empty message */
        const uint8_t message[] = { 0x08, (uint8_t)(0x80 | (id & 0x7f)), (uint8_t)(id >> 7), (uint8_t)(field << 3 | 2),
                                    0 };
        frame_header(at, false, sizeof message);
        memcpy(at + WIRE_HEADER_SIZE, message, sizeof message);
        return WIRE_HEADER_SIZE + sizeof message;
}

static void ask(const struct client *c, uint8_t field, uint64_t id)
{
        uint8_t bytes[32];
        size_t len = put_request(bytes, field, id);
        assert_int_equal(offer(c, bytes, len), len);
}

enum { PING = 4, GET_STATUS = 5 };

/* Takes the answers that have come, and checks that they come in the order of ids, each once. */
static void take_answers(struct client *c, pb_size_t kind)
{
        struct frame f;
        struct err e = { 0 };
        struct answer a;

        for (;;) {
                if (c->room - c->have < READ) {
                        c->room = 2 * c->room + READ;
                        c->bytes = realloc(c->bytes, c->room);
                        assert_non_null(c->bytes);
                }
                ssize_t n = read(c->fd, c->bytes + c->have, c->room - c->have);
                if (n <= 0) {
                        assert_true(n < 0 && errno == EAGAIN);
                        break;
                }
                c->have += (size_t)n;
        }
        while (frame_parse(&f, c->bytes + c->at, c->have - c->at, 64 * MIB, &e) == FRAME_OK &&
               c->have - c->at >= WIRE_HEADER_SIZE + f.length) {
                assert_int_equal(answer_decode(&a, c->bytes + c->at + WIRE_HEADER_SIZE, f.length, &e), 0);
                assert_int_equal(a.m.which_answer, kind);
                assert_int_equal(a.m.id, c->last + 1);
                c->last++;
                c->answers++;
                c->at += WIRE_HEADER_SIZE + f.length;
                answer_fini(&a);
        }
}

static void a_reading_full_of_requests_lets_others_go_between(void **state)
{
        (void)state;
        struct front *f = new_front();
        struct client flood = connect_to(f), other = connect_to(f);
        static uint8_t bytes[READ];
        size_t len = 0;
        unsigned wanted = 0;

        while (len + 10 <= sizeof bytes)
                len += put_request(bytes + len, GET_STATUS, ++wanted);
        assert_int_equal(offer(&flood, bytes, len), len);
        ask(&other, PING, 1);
        while (other.answers == 0) {
                front_round(f);
                take_answers(&flood, hatchery_v1_ServerMessage_status_tag);
                take_answers(&other, hatchery_v1_ServerMessage_pong_tag);
        }
        assert_true(connection_unread(flood.connection) > 0); /* the rest of the flood waits */

        /* The same again, while the rest of the flood has its turns. */
        ask(&other, PING, 2);
        while (other.answers == 1) {
                front_round(f);
                take_answers(&flood, hatchery_v1_ServerMessage_status_tag);
                take_answers(&other, hatchery_v1_ServerMessage_pong_tag);
        }
        assert_true(connection_unread(flood.connection) > 0); /* the rest of the flood waits */
        while (flood.answers < wanted) {
                front_round(f);
                take_answers(&flood, hatchery_v1_ServerMessage_status_tag);
        }
        front_round(f);
        take_answers(&flood, hatchery_v1_ServerMessage_status_tag);
        assert_int_equal(flood.answers, wanted);

        /* The pool reads again from the connection that sent the flood. */
        ask(&flood, PING, wanted + 1);
        while (flood.answers == wanted) {
                front_round(f);
                take_answers(&flood, hatchery_v1_ServerMessage_pong_tag);
        }
        leave(&flood);
        leave(&other);
        free_front(f);
}

/* A compressed Execute in an unknown language. Its message has this size before the compression. */
static uint8_t *packed_execute(size_t size, size_t *len)
{
        uint8_t *plain = calloc(1, size), *frame, at[] = { 0x08, 1, 0x12, 0, 0, 0, 0, 0x12, 0, 0, 0, 0 };
        size_t code = size - sizeof at, execute = code + 5, packed_len;
        struct err e = { 0 };

        assert_non_null(plain);
        for (size_t i = 0; i < 4; i++) { /* lengths as numbers of four bytes */
                at[3 + i] = (uint8_t)((execute >> (7 * i) & 0x7f) | (i < 3 ? 0x80 : 0));
                at[8 + i] = (uint8_t)((code >> (7 * i) & 0x7f) | (i < 3 ? 0x80 : 0));
        }
        memcpy(plain, at, sizeof at);
        assert_int_equal(lz4_pack(plain, size, WIRE_HEADER_SIZE, &frame, &packed_len, &e), LZ4_OK);
        frame_header(frame, true, (uint32_t)packed_len);
        free(plain);
        *len = WIRE_HEADER_SIZE + packed_len;
        return frame;
}

static void large_requests_are_unpacked_one_at_a_time_between_others(void **state)
{
        (void)state;
        enum { LARGE = 4, SIZE = 16 * MIB };
        struct front *f = new_front();
        struct client large[LARGE], other = connect_to(f);
        size_t len, sent[LARGE] = { 0 };
        uint8_t *frame = packed_execute(SIZE, &len);
        unsigned done = 0, beside = 0;
        uint64_t most = 0;

        for (size_t i = 0; i < LARGE; i++)
                large[i] = connect_to(f);
        ask(&other, PING, 1);
        while (done < LARGE) {
                for (size_t i = 0; i < LARGE; i++)
                        sent[i] += offer(&large[i], frame + sent[i], len - sent[i]);
                front_round(f);
                if (f->memory.used > most)
                        most = f->memory.used;
                unsigned before = other.answers;
                take_answers(&other, hatchery_v1_ServerMessage_pong_tag);
                if (other.answers > before) {
                        beside++;
                        ask(&other, PING, other.last + 1);
                }
                done = 0;
                for (size_t i = 0; i < LARGE; i++) {
                        take_answers(&large[i], hatchery_v1_ServerMessage_error_tag);
                        done += large[i].answers;
                }
        }
        assert_true(beside > LARGE);
        assert_in_range(most, SIZE, SIZE + SIZE / 2);
        leave(&other);
        for (size_t i = 0; i < LARGE; i++)
                leave(&large[i]);
        free(frame);
        free_front(f);
}

static void those_that_leave_in_the_middle_are_forgotten(void **state)
{
        (void)state;
        struct front *f = new_front();
        struct client c[3] = { connect_to(f), connect_to(f), connect_to(f) };
        static uint8_t bytes[READ];
        size_t len = 0, packed_len, sent = 0;
        uint8_t *frame = packed_execute(16 * MIB, &packed_len);

        while (len + 10 <= sizeof bytes)
                len += put_request(bytes + len, GET_STATUS, 1);
        assert_int_equal(offer(&c[0], bytes, len), len); /* these need further turns */
        while (sent < packed_len) {                      /* is unpacked meanwhile */
                sent += offer(&c[1], frame + sent, packed_len - sent);
                front_round(f);
        }
        for (int i = 0; i < 3; i++)
                leave(&c[i]);
        while (f->native->n_connections > 0)
                front_round(f);
        assert_int_equal(f->memory.used, 0);
        assert_int_equal(f->native->n_doomed, 0);
        free(frame);
        free_front(f);
}

int main(void)
{
        signal(SIGPIPE, SIG_IGN); /* as in the pool */
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_reading_full_of_requests_lets_others_go_between),
                cmocka_unit_test(large_requests_are_unpacked_one_at_a_time_between_others),
                cmocka_unit_test(those_that_leave_in_the_middle_are_forgotten),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
