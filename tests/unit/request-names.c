/* Requests: the names that a caller chooses have their forms, since they go into log lines and into keys of tables. */
#include "hatchery.pb.h"
#include "proto/wire/request.h"
#include "proto/wire/wire.h"
#include "tests/unit/requests.h"
#include "tests/unit/unit.h"
#include "tests/unit/wirebuf.h"

#include <stdbool.h>
#include <stdlib.h>

static void a_run_id_has_letters_digits_and_two_signs_only(void **state)
{
        (void)state;
        for (int c = 1; c < 0x80; c++) {
                const char text[] = { 'a', (char)c };
                const bool good = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-", c) != NULL;
                struct wirebuf x = { 0 }, inner = { 0 }, m = { 0 };
                struct request r;
                uint8_t *data;
                wirebuf_bytes(&x, ID(Execute_run_id), text, sizeof text);
                if (good) {
                        requests_decode_execute(&x, &r, &data);
                        request_fini(&r);
                        free(data);
                        continue;
                }
                requests_assert_execute_refused(&x, "run_id of Execute");
                wirebuf_bytes(&inner, ID(CancelRun_run_id), text, sizeof text);
                wirebuf_number(&m, ID(ClientMessage_id), 3);
                wirebuf_message(&m, ID(ClientMessage_cancel_run), &inner);
                requests_assert_refused(&m, 3, "run_id of CancelRun");
        }
}

static void an_idempotency_key_is_visible_ascii(void **state)
{
        (void)state;
        const char *const bad[] = { " ", "a b", "a\n", "\x7f", "\xc3\xa4", "\x1b[0m" };
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                struct wirebuf x = { 0 };
                wirebuf_text(&x, ID(Execute_idempotency_key), bad[i]);
                requests_assert_execute_refused(&x, "idempotency_key of Execute");
        }
}

static void cancel_run_names_a_run(void **state)
{
        (void)state;
        struct wirebuf m = { 0 };
        wirebuf_number(&m, ID(ClientMessage_id), 3);
        wirebuf_text(&m, ID(ClientMessage_cancel_run), "");
        requests_assert_refused(&m, 3, "empty");
}

/* Checks that a Ping with id 9 on behalf of this peer, with this trace, is refused. */
static void refuse_behalf(const void *peer, size_t peer_len, const char *trace, const char *word)
{
        struct wirebuf m = { 0 }, behalf = { 0 };
        wirebuf_number(&m, ID(ClientMessage_id), 9);
        wirebuf_bytes(&behalf, ID(OnBehalf_peer), peer, peer_len);
        wirebuf_text(&behalf, ID(OnBehalf_trace), trace);
        wirebuf_message(&m, ID(ClientMessage_on_behalf), &behalf);
        wirebuf_text(&m, ID(ClientMessage_ping), "");
        requests_assert_refused(&m, 9, word);
}

static void a_caller_and_its_trace_have_their_bounds(void **state)
{
        (void)state;
        const char long_text[WIRE_MAX_PEER + 2] = "this text is longer than the peer or the trace of a caller may be";
        _Static_assert(WIRE_MAX_PEER == WIRE_MAX_TRACE, "one text is too long for both");
        refuse_behalf("", 0, "", "peer of OnBehalf is empty");
        refuse_behalf(long_text, WIRE_MAX_PEER + 1, "", "peer");
        refuse_behalf("4", 1, long_text, "trace");
        refuse_behalf("4", 1, "00-a b", "trace");
        refuse_behalf("4", 1, "00\nforged line", "trace");
}

static void a_message_without_an_answer_has_no_on_behalf(void **state)
{
        (void)state;
        struct wirebuf m = { 0 }, behalf = { 0 }, credit = { 0 };
        wirebuf_text(&behalf, ID(OnBehalf_peer), "4");
        wirebuf_message(&m, ID(ClientMessage_on_behalf), &behalf);
        wirebuf_number(&credit, ID(Credit_request_id), 1);
        wirebuf_message(&m, ID(ClientMessage_credit), &credit);
        requests_assert_refused(&m, 0, "on_behalf");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_run_id_has_letters_digits_and_two_signs_only),
                cmocka_unit_test(an_idempotency_key_is_visible_ascii),
                cmocka_unit_test(cancel_run_names_a_run),
                cmocka_unit_test(a_caller_and_its_trace_have_their_bounds),
                cmocka_unit_test(a_message_without_an_answer_has_no_on_behalf),
        };
        return cmocka_run_group_tests_name("request-names", tests, NULL, NULL);
}
