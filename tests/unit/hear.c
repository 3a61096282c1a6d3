/* What a client hears: see hear.h. */
#include "tests/unit/hear.h"

#include "tests/unit/unit.h"

#include <stdlib.h>

void wait_for(struct front *f, size_t begun)
{
        while (f->core.begun < begun)
                front_round(f);
}

struct outcome exited(const char *out)
{
        return (struct outcome){
                .end.status = OUTCOME_EXITED,
                .output.out = span_of_text(out),
                .language = "none",
                .language_version = "",
        };
}

static uint8_t *hear(struct front *f, int client, uint64_t id, pb_size_t which, struct answer *a)
{
        uint8_t *bytes;

        front_hear(f, client, a, &bytes);
        assert_int_equal(a->m.which_answer, which);
        assert_int_equal(a->m.id, id);
        return bytes;
}

static void drop(struct answer *a, uint8_t *bytes)
{
        answer_fini(a);
        free(bytes);
}

uint64_t hear_error(struct front *f, int client, uint64_t id, enum refusal_code code, const char *word)
{
        struct answer a;
        uint8_t *bytes = hear(f, client, id, hatchery_v1_ServerMessage_error_tag, &a);
        const uint64_t retry_after_ms = a.m.answer.error.retry_after_ms;

        assert_int_equal(a.m.answer.error.code, code);
        if (!strstr(a.m.answer.error.message, word))
                fail_msg("\"%s\" does not contain \"%s\"", a.m.answer.error.message, word);
        drop(&a, bytes);
        return retry_after_ms;
}

void hear_result(struct front *f, int client, uint64_t id, const char *out, const char *trace)
{
        struct answer a;
        uint8_t *bytes = hear(f, client, id, hatchery_v1_ServerMessage_result_tag, &a);

        if (out)
                assert_span_text(a.out, out);
        if (trace)
                assert_string_equal(a.m.answer.result.trace, trace);
        drop(&a, bytes);
}

void hear_cancelled(struct front *f, int client, uint64_t id, bool found)
{
        struct answer a;
        uint8_t *bytes = hear(f, client, id, hatchery_v1_ServerMessage_cancelled_tag, &a);

        assert_int_equal(a.m.answer.cancelled.found, found);
        drop(&a, bytes);
}
