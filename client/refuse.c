/* Refusals: see refuse.h. */
#include "client/refuse.h"

#include "client/json.h"
#include "client/report.h"
#include "client/text.h"

#include <errno.h>
#include <stdio.h>

static int print_json(const char *code, const char *message, uint64_t retry_after_ms)
{
        struct err e = { 0 };
        if (json_print(json_of_error(code, message, retry_after_ms), &e) < 0)
                text_say("%s (%s)", message, e.text);
        return EXIT_REFUSED;
}

/* The code's name is one of gRPC's status names. */
static int refuse(bool json, const char *code, const struct err *why)
{
        if (json)
                return print_json(code, why->text, 0);
        text_say("%s", why->text);
        return EXIT_REFUSED;
}

int refuse_input(bool json, const struct err *why)
{
        return refuse(json, "INVALID_ARGUMENT", why);
}

int refuse_connection(bool json, const struct err *why)
{
        return refuse(json,
                      why->code == EINVAL   ? "INVALID_ARGUMENT"
                      : why->code == EPROTO ? "INTERNAL"
                                            : "UNAVAILABLE",
                      why);
}

int refuse_error(bool json, int code, const char *message, uint64_t retry_after_ms)
{
        const char *name = answer_code_name(code);
        char retry[TEXT_SIZE];

        if (json)
                return print_json(name, message, retry_after_ms);
        if (retry_after_ms > 0)
                text_say("refused: %s (%s; try again in %s)", message, name,
                         text_us(retry, retry_after_ms < UINT64_MAX / 1000 ? retry_after_ms * 1000 : UINT64_MAX));
        else
                text_say("refused: %s (%s)", message, name);
        return EXIT_REFUSED;
}

int refuse_answer(bool json, const struct answer *a)
{
        if (a->m.which_answer != hatchery_v1_ServerMessage_error_tag) {
                struct err e = { 0 };
                err_say(&e, EPROTO, "the server sent an answer of an unexpected kind (%u)",
                        (unsigned)a->m.which_answer);
                return refuse_connection(json, &e);
        }
        const hatchery_v1_Error *error = &a->m.answer.error;
        return refuse_error(json, (int)error->code, error->message, error->retry_after_ms);
}
