/* Results become answers of snekbox's POST /eval. */
#include "gateway/contracts/snekbox_parts.h"
#include "proto/base/files_note.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#define STATUS(name) hatchery_v1_Result_Status_##name

static struct answer result(int status, int exit_code, int number, const char *out)
{
        struct answer a = { .out = span_of_text(out) };
        a.m.which_answer = hatchery_v1_ServerMessage_result_tag;
        a.m.answer.result.status = (hatchery_v1_Result_Status)status;
        a.m.answer.result.exit_code = exit_code;
        a.m.answer.result.signal = number;
        return a;
}

static void assert_answer(const struct answer *a, const char *expected)
{
        json_t *answer = snekbox_answer(a);
        char *text = json_dumps(answer, JSON_COMPACT | JSON_ENSURE_ASCII);
        assert_string_equal(text, expected);
        free(text);
        json_decref(answer);
}

static void ends_have_the_numbers_of_a_shell(void **state)
{
        static const struct {
                int status, exit_code, number, expected;
        } cases[] = {
                { STATUS(EXITED), 0, 0, 0 },         { STATUS(EXITED), 255, 0, 255 },
                { STATUS(SIGNALED), 0, 11, 139 },    { STATUS(SIGNALED), 0, 15, 143 },
                { STATUS(SIGNALED), 0, 64, 192 },    { STATUS(TIME_LIMIT), 0, 9, 137 },
                { STATUS(TIME_LIMIT), 0, 0, 137 },   { STATUS(CPU_LIMIT), 0, 9, 137 },
                { STATUS(MEMORY_LIMIT), 0, 9, 137 }, { STATUS(MEMORY_LIMIT), 3, 0, 3 },
                { STATUS(OUTPUT_LIMIT), 0, 9, 143 }, { STATUS(DISK_LIMIT), 1, 0, 1 },
                { STATUS(CANCELLED), 0, 9, 137 },
        };
        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                struct answer a = result(cases[i].status, cases[i].exit_code, cases[i].number, "");
                char expected[64];
                snprintf(expected, sizeof expected, "{\"stdout\":\"\",\"returncode\":%d,\"files\":[]}",
                         cases[i].expected);
                assert_answer(&a, expected);
        }
}

static void output_is_text(void **state)
{
#define NO_TEXT          "{\"stdout\":\"UnicodeDecodeError: invalid Unicode in output pipe\",\"returncode\":null,\"files\":[]}"
#define TEXT(text, code) "{\"stdout\":\"" text "\",\"returncode\":" code ",\"files\":[]}"
        static const struct {
                const char *out;
                int status;
                const char *expected;
        } cases[] = {
                { "a\nb", STATUS(EXITED), TEXT("a\\nb", "0") },
                { "a\r\nb\rc\r\r\n\r", STATUS(EXITED), TEXT("a\\nb\\nc\\n\\n\\n", "0") },
                { "\xc3\xa9", STATUS(EXITED), TEXT("\\u00E9", "0") },
                { "\xff", STATUS(EXITED), NO_TEXT },
                { "a\xc3", STATUS(EXITED), NO_TEXT },
                { "a\xc3", STATUS(TIME_LIMIT), NO_TEXT },
                { "\r\xed\xa0\x80", STATUS(EXITED), NO_TEXT },
                { "a\xc3", STATUS(OUTPUT_LIMIT), TEXT("a", "143") },
                { "a\xf0\x9f\x90", STATUS(OUTPUT_LIMIT), TEXT("a", "143") },
                { "a\xff\xff\xff\xff", STATUS(OUTPUT_LIMIT), NO_TEXT },
        };
        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                struct answer a = result(cases[i].status, 0, 0, cases[i].out);
                assert_answer(&a, cases[i].expected);
        }
        struct answer a = result(STATUS(EXITED), 0, 0, "");
        a.out = (struct span){ (const uint8_t *)"a\0b", 3 };
        assert_answer(&a, TEXT("a\\u0000b", "0"));
}

static void files_come_sorted_and_without_hidden_ones(void **state)
{
        static const char *const names[] = {
                "z.txt", "a/b.txt", "_c", "a/_d", "_e/f", ".g", "a/.h", ".i/j", "a", "a.b"
        };
        struct file_span files[sizeof names / sizeof names[0]] = { 0 };
        struct answer a = result(STATUS(EXITED), 0, 0, "");
        (void)state;
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
                files[i].name = span_of_text(names[i]);
        files[0].content = span_of_text("foo");
        a.files = files;
        a.n_files = sizeof names / sizeof names[0];
        assert_answer(
                &a, "{\"stdout\":\"\",\"returncode\":0,\"files\":["
                    "{\"path\":\"_e/f\",\"size\":0,\"content\":\"\"},{\"path\":\"a\",\"size\":0,\"content\":\"\"},"
                    "{\"path\":\"a.b\",\"size\":0,\"content\":\"\"},{\"path\":\"a/b.txt\",\"size\":0,\"content\":\"\"},"
                    "{\"path\":\"z.txt\",\"size\":3,\"content\":\"Zm9v\"}]}");
}

static void a_hundred_files_are_enough(void **state)
{
        enum { MANY = 150 };
        struct file_span files[MANY] = { 0 };
        char names[MANY][8];
        struct answer a = result(STATUS(EXITED), 0, 0, "");
        (void)state;
        for (size_t i = 0; i < MANY; i++) {
                snprintf(names[i], sizeof names[i], "%s%03zu", i < 20 ? "_" : "", MANY - i);
                files[i].name = span_of_text(names[i]);
        }
        a.files = files;
        a.n_files = MANY;
        a.m.answer.result.files_incomplete = true;
        snprintf(a.m.answer.result.files_note, sizeof a.m.answer.result.files_note, "%s", FILES_NOTE_TOO_MANY);
        json_t *answer = snekbox_answer(&a);
        json_t *list = json_object_get(answer, "files");
        assert_int_equal(json_array_size(list), 100);
        assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "path")), "001");
        assert_string_equal(json_string_value(json_object_get(json_array_get(list, 99), "path")), "100");
        json_decref(answer);
}

static void files_that_can_not_be_told(void **state)
{
#define NOTHING(text) "{\"stdout\":\"" text " while parsing attachments\",\"returncode\":null,\"files\":[]}"
        static const struct {
                const char *raw_name, *note, *expected;
        } cases[] = {
                { "\xc3.txt", "", NOTHING("FileParsingError: invalid bytes in filename") },
                { "d\xc3/a", "", NOTHING("FileParsingError: invalid bytes in filename") },
                { "_\xc3", "", NULL },
                { ".\xc3/a", "", NULL },
                { NULL, FILES_NOTE_TOO_DEEP, NOTHING("FileParsingError: Exceeded directory depth limit") },
                { NULL, FILES_NOTE_TOO_LONG, NOTHING("TimeoutError: Exceeded time limit") },
                { NULL, FILES_NOTE_BROKEN, NOTHING("FileParsingError: Unknown error") },
                { NULL, FILES_NOTE_TOO_LARGE, NULL },
                { NULL, FILES_NOTE_UNREADABLE, NULL },
        };
        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                struct answer a = result(STATUS(EXITED), 0, 0, "x");
                struct file_span file = { .name = span_of_text("_?"), .raw_name = span_of_text(cases[i].raw_name) };
                a.files = &file;
                a.n_files = cases[i].raw_name ? 1 : 0;
                a.m.answer.result.files_incomplete = cases[i].note[0] != '\0';
                snprintf(a.m.answer.result.files_note, sizeof a.m.answer.result.files_note, "%s", cases[i].note);
                assert_answer(&a, cases[i].expected ? cases[i].expected : TEXT("x", "0"));
        }
}

static void an_interpreter_that_can_not_be_started(void **state)
{
        static const struct {
                int exit_code;
                const char *out, *title;
        } cases[] = {
                { 127, "python: can't start /a/b: No such file or directory\n", "executable_path does not exist" },
                { 126, "python: can't start /a/b: Not a directory\n", "executable_path does not exist" },
                { 126, "python: can't start /a/b: Is a directory\n", "executable_path is not a file" },
                { 126, "python: can't start /a/b: Permission denied\n", "executable_path is not executable" },
                { 126, "python: can't start /a/b: Exec format error\n", NULL },
                { 126, "python: can't start /a/c: Permission denied\n", NULL },
                { 126, "python: can't start /a/b", NULL },
                { 1, "python: can't start /a/b: Permission denied\n", NULL },
                { 127, "", NULL },
        };
        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                struct answer a = result(STATUS(EXITED), cases[i].exit_code, 0, cases[i].out);
                const char *title = snekbox_interpreter_fault("/a/b", &a);
                assert_true(!title == !cases[i].title);
                if (title)
                        assert_string_equal(title, cases[i].title);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(ends_have_the_numbers_of_a_shell),
                cmocka_unit_test(output_is_text),
                cmocka_unit_test(files_come_sorted_and_without_hidden_ones),
                cmocka_unit_test(a_hundred_files_are_enough),
                cmocka_unit_test(files_that_can_not_be_told),
                cmocka_unit_test(an_interpreter_that_can_not_be_started),
        };
        return cmocka_run_group_tests_name("snekbox-answer", tests, NULL, NULL);
}
