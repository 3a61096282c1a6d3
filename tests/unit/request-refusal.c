/* Requests: every bound holds, and a forbidden field is refused in a sentence. */
#include "proto/wire/request.h"

#include "hatchery.pb.h"
#include "proto/base/own.h"
#include "proto/wire/wire.h"
#include "tests/unit/requests.h"
#include "tests/unit/unit.h"
#include "tests/unit/wirebuf.h"

#include <pb_common.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- counts and lengths */

typedef void fill(struct wirebuf *x, size_t n);

static void fill_files(struct wirebuf *x, size_t n)
{
        for (size_t i = 0; i < n; i++)
                wirebuf_bytes(x, ID(Execute_files), "\x0a\x01g", 3);
}

static void fill_args(struct wirebuf *x, size_t n)
{
        for (size_t i = 0; i < n; i++)
                wirebuf_text(x, ID(Execute_args), "a");
}

static void fill_env(struct wirebuf *x, size_t n)
{
        for (size_t i = 0; i < n; i++)
                wirebuf_bytes(x, ID(Execute_env), "\x0a\x01k\x12\x01v", 6);
}

static void fill_globs(struct wirebuf *x, size_t n)
{
        struct wirebuf collect = { 0 };
        for (size_t i = 0; i < n; i++)
                wirebuf_text(&collect, ID(Collect_globs), "*");
        wirebuf_message(x, ID(Execute_collect), &collect);
}

static void fill_flags(struct wirebuf *x, size_t n)
{
        for (size_t i = 0; i < n; i++)
                wirebuf_text(x, ID(Execute_compile_flags), "-g");
}

struct countable {
        const char *name;
        fill *fill;
        size_t max;
        size_t offset; /* of the count in struct submission */
};

static const struct countable countables[] = {
        { "files", fill_files, WIRE_MAX_FILES, offsetof(struct submission, n_files) },
        { "args", fill_args, WIRE_MAX_ARGS, offsetof(struct submission, n_args) },
        { "env", fill_env, WIRE_MAX_ENV, offsetof(struct submission, n_env) },
        { "globs", fill_globs, WIRE_MAX_GLOBS, offsetof(struct submission, n_globs) },
        { "compile_flags", fill_flags, WIRE_MAX_FLAGS, offsetof(struct submission, n_compile_flags) },
};

static void counts_are_taken_up_to_their_bound_and_no_further(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof countables / sizeof *countables; i++) {
                const struct countable *c = &countables[i];
                const size_t counts[] = { 0, 1, 3, 4, 5, 8, 9, c->max - 1, c->max };
                for (size_t j = 0; j < sizeof counts / sizeof *counts; j++) {
                        struct wirebuf x = { 0 };
                        struct request r;
                        uint8_t *data;
                        size_t n;
                        c->fill(&x, counts[j]);
                        requests_decode_execute(&x, &r, &data);
                        memcpy(&n, (char *)&r.execute + c->offset, sizeof n);
                        assert_int_equal(n, counts[j]);
                        request_fini(&r);
                        free(data);
                }
                struct wirebuf x = { 0 };
                c->fill(&x, c->max + 1);
                requests_assert_execute_refused(&x, c->name);
        }
}

static void fill_name(struct wirebuf *x, const char *text, size_t len)
{
        struct wirebuf file = { 0 };
        wirebuf_bytes(&file, ID(File_name), text, len);
        wirebuf_message(x, ID(Execute_files), &file);
}

static void fill_key(struct wirebuf *x, const char *text, size_t len)
{
        struct wirebuf entry = { 0 };
        wirebuf_bytes(&entry, ID(Execute_EnvEntry_key), text, len);
        wirebuf_message(x, ID(Execute_env), &entry);
}

static void fill_value(struct wirebuf *x, const char *text, size_t len)
{
        struct wirebuf entry = { 0 };
        wirebuf_text(&entry, ID(Execute_EnvEntry_key), "K");
        wirebuf_bytes(&entry, ID(Execute_EnvEntry_value), text, len);
        wirebuf_message(x, ID(Execute_env), &entry);
}

static void fill_glob(struct wirebuf *x, const char *text, size_t len)
{
        struct wirebuf collect = { 0 };
        wirebuf_bytes(&collect, ID(Collect_globs), text, len);
        wirebuf_message(x, ID(Execute_collect), &collect);
}

static void fill_language(struct wirebuf *x, const char *text, size_t len)
{
        wirebuf_bytes(x, ID(Execute_language), text, len);
}

static void fill_entry(struct wirebuf *x, const char *text, size_t len)
{
        wirebuf_bytes(x, ID(Execute_entry), text, len);
}

static void fill_arg(struct wirebuf *x, const char *text, size_t len)
{
        wirebuf_bytes(x, ID(Execute_args), text, len);
}

static void fill_client(struct wirebuf *x, const char *text, size_t len)
{
        wirebuf_bytes(x, ID(Execute_client), text, len);
}

static void fill_run_id(struct wirebuf *x, const char *text, size_t len)
{
        wirebuf_bytes(x, ID(Execute_run_id), text, len);
}

static void fill_idempotency_key(struct wirebuf *x, const char *text, size_t len)
{
        wirebuf_bytes(x, ID(Execute_idempotency_key), text, len);
}

struct text_field {
        const char *name;
        void (*fill)(struct wirebuf *x, const char *text, size_t len);
        size_t max;
};

static const struct text_field text_fields[] = {
        { "language", fill_language, WIRE_MAX_LANGUAGE },
        { "entry", fill_entry, WIRE_MAX_NAME },
        { "name", fill_name, WIRE_MAX_NAME },
        { "args", fill_arg, WIRE_MAX_STRING },
        { "key", fill_key, WIRE_MAX_NAME },
        { "value", fill_value, WIRE_MAX_STRING },
        { "globs", fill_glob, WIRE_MAX_NAME },
        { "client", fill_client, WIRE_MAX_CLIENT },
        { "run_id", fill_run_id, WIRE_MAX_RUN_ID },
        { "idempotency_key", fill_idempotency_key, WIRE_MAX_IDEMPOTENCY_KEY },
};
enum { TEXT_FIELDS = sizeof text_fields / sizeof *text_fields };

static void text_is_taken_up_to_its_bound_and_no_further(void **state)
{
        (void)state;
        OWN_MEM char *text = malloc(WIRE_MAX_STRING + 1);
        assert_non_null(text);
        memset(text, 'x', WIRE_MAX_STRING + 1);

        for (size_t i = 0; i < TEXT_FIELDS; i++) {
                struct wirebuf x = { 0 };
                struct request r;
                uint8_t *data;
                text_fields[i].fill(&x, text, text_fields[i].max);
                requests_decode_execute(&x, &r, &data);
                request_fini(&r);
                free(data);

                text_fields[i].fill(&x, text, text_fields[i].max + 1);
                requests_assert_execute_refused(&x, text_fields[i].name);
        }
}

static void nul_in_text_is_refused(void **state)
{
        (void)state;
        for (size_t i = 0; i < TEXT_FIELDS; i++) {
                struct wirebuf x = { 0 };
                text_fields[i].fill(&x, "\0", 1);
                requests_assert_execute_refused(&x, text_fields[i].name);
                text_fields[i].fill(&x, "a\0b", 3);
                requests_assert_execute_refused(&x, "NUL");
                text_fields[i].fill(&x, "ab\0", 3);
                requests_assert_execute_refused(&x, "NUL");
        }
}

static void text_that_is_not_utf8_is_refused(void **state)
{
        (void)state;
        for (size_t i = 0; i < TEXT_FIELDS; i++) {
                struct wirebuf x = { 0 };
                text_fields[i].fill(&x, "ab\xff", 3);
                requests_assert_execute_refused(&x, text_fields[i].name);
                text_fields[i].fill(&x, "\xc3", 1);
                requests_assert_execute_refused(&x, "UTF-8");
        }
}

static void names_of_variables_are_not_empty_and_hold_no_equals_sign(void **state)
{
        (void)state;
        struct wirebuf x = { 0 }, entry = { 0 };
        fill_key(&x, "", 0);
        requests_assert_execute_refused(&x, "empty");
        wirebuf_message(&x, ID(Execute_env), &entry);
        requests_assert_execute_refused(&x, "empty");
        fill_key(&x, "A=B", 3);
        requests_assert_execute_refused(&x, "'='");
        fill_key(&x, "=", 1);
        requests_assert_execute_refused(&x, "'='");
}

/* ---------------------------------------------------------------- what is refused */

static void an_empty_message_is_refused(void **state)
{
        (void)state;
        struct wirebuf m = { 0 };
        requests_assert_refused(&m, 0, "no request");
        wirebuf_number(&m, ID(ClientMessage_id), 9);
        requests_assert_refused(&m, 9, "no request");
}

static void a_request_without_an_id_is_refused(void **state)
{
        (void)state;
        struct wirebuf m = { 0 };
        wirebuf_text(&m, ID(ClientMessage_ping), "");
        requests_assert_refused(&m, 0, "no id");
}

static void two_requests_in_one_message_are_refused(void **state)
{
        (void)state;
        const uint32_t tags[] = { ID(ClientMessage_execute), ID(ClientMessage_cancel), ID(ClientMessage_ping),
                                  ID(ClientMessage_get_status) };
        for (size_t i = 0; i < 4; i++) {
                for (size_t j = 0; j < 4; j++) {
                        struct wirebuf m = { 0 };
                        wirebuf_number(&m, ID(ClientMessage_id), 9);
                        wirebuf_text(&m, tags[i], "");
                        wirebuf_text(&m, tags[j], "");
                        requests_assert_refused(&m, 9, "more than one");
                }
        }
}

static void a_refusal_finds_the_id_behind_what_it_refuses(void **state)
{
        (void)state;
        struct wirebuf m = { 0 };
        wirebuf_text(&m, ID(ClientMessage_execute), "\x0a");
        wirebuf_number(&m, ID(ClientMessage_id), 12345);
        requests_assert_refused(&m, 12345, "damaged");

        wirebuf_text(&m, ID(ClientMessage_execute), "\x0a");
        requests_assert_refused(&m, 0, "damaged");

        wirebuf_number(&m, ID(ClientMessage_id), 6);
        wirebuf_number(&m, ID(ClientMessage_id), 7);
        wirebuf_text(&m, ID(ClientMessage_ping), "");
        requests_assert_refused(&m, 6, "twice");
}

static void an_unknown_way_to_limit_output_is_refused(void **state)
{
        (void)state;
        struct wirebuf x = { 0 };
        wirebuf_number(&x, ID(Execute_on_output_limit), 2);
        requests_assert_execute_refused(&x, "on_output_limit");
        wirebuf_number(&x, ID(Execute_on_output_limit), UINT64_MAX);
        requests_assert_execute_refused(&x, "on_output_limit");
        wirebuf_number(&x, ID(Execute_on_output_limit), 1ull << 32);
        requests_assert_execute_refused(&x, "32 bits");
}

static void a_number_too_large_for_its_field_is_refused(void **state)
{
        (void)state;
        struct wirebuf x = { 0 }, collect = { 0 };
        wirebuf_number(&collect, ID(Collect_max_files), 1ull << 32);
        wirebuf_message(&x, ID(Execute_collect), &collect);
        requests_assert_execute_refused(&x, "max_files");
}

static void very_many_unknown_fields_are_refused(void **state)
{
        (void)state;
        struct wirebuf x = { 0 };
        for (int i = 0; i < 100000; i++)
                wirebuf_number(&x, 1000, 1);
        requests_assert_execute_refused(&x, "unknown");
}

/* The search for the id of a refused message is bounded, too. */
static void an_id_behind_very_many_fields_is_not_looked_for(void **state)
{
        (void)state;
        struct wirebuf m = { 0 };
        for (int i = 0; i < 100000; i++)
                wirebuf_number(&m, 1000, 1);
        wirebuf_number(&m, ID(ClientMessage_id), 7);
        requests_assert_refused(&m, 0, "unknown");
}

static void what_protobuf_does_not_know_is_refused(void **state)
{
        (void)state;
        const char *const damaged[] = { "\x0b",
                                        "\x0c",
                                        "\x0e",
                                        "\x0f",
                                        "\x03",
                                        "\xff",
                                        "\x0a",
                                        "\x0a\x7f",
                                        "\x12\x05xyz",
                                        "\x60",
                                        "\x60\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                                        "\x0a\xff\xff\xff\xff\x0f" };
        for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
                struct wirebuf x = { 0 };
                wirebuf_text(&x, ID(Execute_entry), "e");
                wirebuf_raw(&x, damaged[i], strlen(damaged[i]));
                requests_assert_execute_refused(&x, "Execute");
        }
        struct wirebuf x = { 0 };
        wirebuf_raw(&x, "\0\0", 2); /* field number 0 */
        requests_assert_execute_refused(&x, "damaged");
}

/* ---------------------------------------------------------------- every field of the .proto */

struct message {
        const pb_msgdesc_t *fields;
        uint32_t inside; /* the field of Execute that holds this message; 0: the message is Execute itself */
};

static const struct message messages[] = {
        { &hatchery_v1_Execute_msg, 0 },
        { &hatchery_v1_Limits_msg, ID(Execute_limits) },
        { &hatchery_v1_Limits_msg, ID(Execute_compile_limits) },
        { &hatchery_v1_Collect_msg, ID(Execute_collect) },
        { &hatchery_v1_File_msg, ID(Execute_files) },
        { &hatchery_v1_Execute_EnvEntry_msg, ID(Execute_env) },
};

static bool is_number(const pb_field_iter_t *f)
{
        return PB_LTYPE(f->type) <= PB_LTYPE_SVARINT;
}

/* The test takes the fields from the generated description of the .proto. If request.c forgot a field, it would skip
 * the field and not refuse it. */
static void each_field_is_refused_if_it_comes_twice_or_has_a_wrong_wire_type(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
                pb_field_iter_t f;
                char dummy[4096] = { 0 };
                assert_true(sizeof dummy >= sizeof(hatchery_v1_Execute));
                assert_true(pb_field_iter_begin(&f, messages[i].fields, dummy));
                do {
                        if (messages[i].fields == &hatchery_v1_File_msg && f.tag == ID(File_raw_name))
                                continue; /* only a Result has this field */

                        struct wirebuf inner = { 0 }, x = { 0 };
                        wirebuf_tag(&inner, f.tag, 5);
                        wirebuf_raw(&inner, "1234", 4);
                        if (messages[i].inside)
                                wirebuf_message(&x, messages[i].inside, &inner);
                        else
                                x = inner;
                        requests_assert_execute_refused(&x, "wire type");

                        if (PB_HTYPE(f.type) == PB_HTYPE_REPEATED)
                                continue;
                        inner = x = (struct wirebuf){ 0 };
                        for (int twice = 0; twice < 2; twice++) {
                                if (is_number(&f))
                                        wirebuf_number(&inner, f.tag, 0);
                                else
                                        wirebuf_text(&inner, f.tag, "");
                        }
                        if (messages[i].inside)
                                wirebuf_message(&x, messages[i].inside, &inner);
                        else
                                x = inner;
                        requests_assert_execute_refused(&x, "twice");
                } while (pb_field_iter_next(&f));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(counts_are_taken_up_to_their_bound_and_no_further),
                cmocka_unit_test(text_is_taken_up_to_its_bound_and_no_further),
                cmocka_unit_test(nul_in_text_is_refused),
                cmocka_unit_test(text_that_is_not_utf8_is_refused),
                cmocka_unit_test(names_of_variables_are_not_empty_and_hold_no_equals_sign),
                cmocka_unit_test(an_empty_message_is_refused),
                cmocka_unit_test(a_request_without_an_id_is_refused),
                cmocka_unit_test(two_requests_in_one_message_are_refused),
                cmocka_unit_test(a_refusal_finds_the_id_behind_what_it_refuses),
                cmocka_unit_test(an_unknown_way_to_limit_output_is_refused),
                cmocka_unit_test(a_number_too_large_for_its_field_is_refused),
                cmocka_unit_test(very_many_unknown_fields_are_refused),
                cmocka_unit_test(an_id_behind_very_many_fields_is_not_looked_for),
                cmocka_unit_test(what_protobuf_does_not_know_is_refused),
                cmocka_unit_test(each_field_is_refused_if_it_comes_twice_or_has_a_wrong_wire_type),
        };
        return cmocka_run_group_tests_name("request-refusal", tests, NULL, NULL);
}
