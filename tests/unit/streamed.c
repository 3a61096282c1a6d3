/* Streams between a client and a front: see streamed.h. */
#include "tests/unit/streamed.h"

#include "pool/native/connection.h"
#include "tests/unit/hear.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

uint8_t streamed_data[STREAMED_MUCH];

void streamed_fill(void)
{
        for (size_t i = 0; i < sizeof streamed_data; i++)
                streamed_data[i] = (uint8_t)(i * 7);
}

struct span bytes(size_t len)
{
        return (struct span){ streamed_data, len };
}

void say(struct front *f, int client, struct request r)
{
        front_say(client, &r);
        for (int i = 0; i < 4; i++)
                front_round(f);
}

void begin(struct front *f, int client, uint64_t id)
{
        const size_t begun = f->core.begun + 1;

        say(f, client,
            (struct request){
                    .id = id,
                    .kind = REQUEST_EXECUTE,
                    .execute = { .language = span_of_text("none"), .stream = true, .live_input = true },
            });
        wait_for(f, begun);
}

void credit(struct front *f, int client, uint64_t id, uint64_t n)
{
        say(f, client, (struct request){ .kind = REQUEST_CREDIT, .request_id = id, .credit_bytes = n });
}

void chunk(struct front *f, int client, uint64_t id, size_t len, bool eof)
{
        say(f, client, (struct request){ .kind = REQUEST_STDIN, .request_id = id, .bytes = bytes(len), .eof = eof });
}

void hear(struct front *f, int client, uint64_t id, pb_size_t which, struct answer *a, uint8_t **body)
{
        front_hear(f, client, a, body);
        assert_int_equal(a->m.which_answer, which);
        assert_int_equal(a->m.id, id);
}

void drop(struct answer *a, uint8_t *body)
{
        answer_fini(a);
        free(body);
}

void hear_output(struct front *f, int client, uint64_t id, size_t len, uint64_t offset)
{
        struct answer a;
        uint8_t *body;

        hear(f, client, id, hatchery_v1_ServerMessage_output_tag, &a, &body);
        assert_int_equal(a.out.len, len);
        assert_int_equal(a.m.answer.output.offset, offset);
        assert_memory_equal(a.out.data, streamed_data, len);
        drop(&a, body);
}

void hear_credit(struct front *f, int client, uint64_t id, uint64_t n, bool closed)
{
        struct answer a;
        uint8_t *body;

        hear(f, client, id, hatchery_v1_ServerMessage_credit_tag, &a, &body);
        assert_int_equal(a.m.answer.credit.request_id, id);
        assert_int_equal(a.m.answer.credit.bytes, n);
        assert_int_equal(a.m.answer.credit.closed, closed);
        drop(&a, body);
}

void hear_nothing(struct front *f, int client)
{
        uint8_t byte;

        for (int i = 0; i < 4; i++)
                front_round(f);
        assert_int_equal(read(client, &byte, 1), -1);
        assert_int_equal(errno, EAGAIN);
}

void finish(struct front *f, int client, size_t i, uint64_t id)
{
        const struct outcome o = { .end.status = OUTCOME_EXITED, .language = "none", .language_version = "" };

        front_finish(f, i, &o);
        hear_result(f, client, id, NULL, NULL);
        hear_nothing(f, client);
}

void leave(struct front *f, int client)
{
        close(client);
        while (native_connections(f->native) > 0)
                front_round(f);
        front_free(f);
}
