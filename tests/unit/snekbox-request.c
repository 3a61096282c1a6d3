/* Bodies of snekbox's POST /eval become requests to the pool, or the fault that snekbox names. */
#include "gateway/contracts/snekbox_parts.h"
#include "gateway/json.h"
#include "proto/wire/wire.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *parse(const char *text)
{
        struct json_fault fault;
        json_t *body = json_read(span_of_text(text), &fault);

        if (!body)
                fail_msg("%s: %s", text, fault.text);
        return body;
}

static void assert_span(struct span got, const char *expected)
{
        if (got.len != strlen(expected) || (got.len > 0 && memcmp(got.data, expected, got.len) != 0))
                fail_msg("%.*s is not %s", (int)got.len, (const char *)got.data, expected);
}

/* ---------------------------------------------------------------- repr */

static void values_are_shown_as_python_shows_them(void **state)
{
        static const struct {
                const char *json, *repr;
        } cases[] = {
                { "{\"stuff\": \"foo\"}", "{'stuff': 'foo'}" },
                { "{}", "{}" },
                { "[]", "[]" },
                { "[1, -2, 0]", "[1, -2, 0]" },
                { "[true, false, null]", "[True, False, None]" },
                { "{\"a\": [{\"b\": null}], \"c\": {}}", "{'a': [{'b': None}], 'c': {}}" },
                { "\"\"", "''" },
                { "\"it's\"", "\"it's\"" },
                { "\"say \\\"x\\\"\"", "'say \"x\"'" },
                { "\"'\\\"\"", "'\\'\"'" },
                { "\"a\\\\b\"", "'a\\\\b'" },
                { "\"\\n\\r\\t\\b\\u0000\\u001f\\u007f\"", "'\\n\\r\\t\\x08\\x00\\x1f\\x7f'" },
                { "\"\\u00e9\\u00a0\\u00ad\"", "'\xc3\xa9\\xa0\\xad'" },
                { "\"\\u4e16\\u2028\\ue000\\ufeff\"", "'\xe4\xb8\x96\\u2028\\ue000\\ufeff'" },
                { "\"\\ud83d\\udc23\\udb40\\udc01\"", "'\xf0\x9f\x90\xa3\\U000e0001'" },
                { "[1.0, 1.5, -0.25, 0.1, 100.0]", "[1.0, 1.5, -0.25, 0.1, 100.0]" },
                { "[1e15, 1e16, 123456789012345680.0]", "[1000000000000000.0, 1e+16, 1.2345678901234568e+17]" },
                { "[1e-4, 1e-5, 1.5e-7, 1e300]", "[0.0001, 1e-05, 1.5e-07, 1e+300]" },
                { "[0.0, -0.0, 3.14159265358979]", "[0.0, -0.0, 3.14159265358979]" },
        };
        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                json_t *value = parse(cases[i].json);
                char *repr = snekbox_repr(value);
                assert_string_equal(repr, cases[i].repr);
                free(repr);
                json_decref(value);
        }
}

static void a_long_value_is_cut(void **state)
{
        char *text = malloc(100002);
        (void)state;
        memset(text, 'x', 100002);
        text[0] = text[100000] = '"';
        text[100001] = '\0';
        json_t *value = parse(text);
        char *repr = snekbox_repr(value);
        size_t len = strlen(repr);
        assert_int_equal(len, SNEKBOX_REPR_MAX + 3);
        assert_string_equal(repr + len - 4, "x...");
        free(repr);
        json_decref(value);
        free(text);
}

/* ---------------------------------------------------------------- shape */

#define PATTERN "does not match '^(?!/)(?!.*\\\\\\\\0).*$'"

static void faults_have_the_words_of_jsonschema(void **state)
{
        static const struct {
                const char *json, *fault; /* NULL: the body fits the schema */
        } cases[] = {
                { "{\"input\": \"\"}", NULL },
                { "{\"args\": []}", NULL },
                { "{\"args\": [\"-c\", \"\"], \"input\": \"x\", \"files\": [], \"executable_path\": \"\"}", NULL },
                { "{\"input\": \"\", \"other\": {\"path\": 5}}", NULL },
                { "{\"input\": \"\", \"files\": [{\"path\": \"a\", \"size\": 5, \"content\": \"\"}]}", NULL },
                { "{\"stuff\": \"foo\"}", "{'stuff': 'foo'} is not valid under any of the given schemas" },
                { "{}", "{} is not valid under any of the given schemas" },
                { "{\"files\": [5]}", "{'files': [5]} is not valid under any of the given schemas" },
                { "[1]", "[1] is not of type 'object'" },
                { "\"x\"", "'x' is not of type 'object'" },
                { "null", "None is not of type 'object'" },
                { "{\"args\": 400}", "400 is not of type 'array'" },
                { "{\"args\": null}", "None is not of type 'array'" },
                { "{\"input\": 5}", "5 is not of type 'string'" },
                { "{\"args\": [\"a\", 5]}", "5 is not of type 'string'" },
                { "{\"args\": [5], \"files\": 6}", "6 is not of type 'array'" },
                { "{\"input\": \"\", \"executable_path\": null}", "None is not of type 'string'" },
                { "{\"args\": [], \"files\": [215]}", "215 is not of type 'object'" },
                { "{\"args\": [], \"files\": [{}]}", "'path' is a required property" },
                { "{\"args\": [], \"files\": [{\"path\": 5}]}", "5 is not of type 'string'" },
                { "{\"args\": [], \"files\": [{\"path\": 5}, {}]}", "'path' is a required property" },
                { "{\"args\": [], \"files\": [{\"path\": \"a\", \"content\": null}]}", "None is not of type 'string'" },
                { "{\"args\": [], \"files\": [{\"path\": \"/\"}]}", "'/' " PATTERN },
                { "{\"args\": [], \"files\": [{\"path\": \"/etc/x\"}]}", "'/etc/x' " PATTERN },
                { "{\"args\": [], \"files\": [{\"path\": \"a\\\\0b\"}]}", "'a\\\\0b' " PATTERN },
                { "{\"args\": [], \"files\": [{\"path\": \"\\\\\\\\0\"}]}", "'\\\\\\\\0' " PATTERN },
                { "{\"args\": [], \"files\": [{\"path\": \"a\\nb\"}]}", "'a\\nb' " PATTERN },
                { "{\"args\": [], \"files\": [{\"path\": \"a\\n\"}]}", NULL },
                { "{\"args\": [], \"files\": [{\"path\": \"back\\\\slash\"}, {\"path\": \"\\\\\"}, {\"path\": \"\"}]}",
                  NULL },
                { "{\"args\": [], \"files\": [{\"path\": \"n/0123\"}]}", NULL },
        };
        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                json_t *body = parse(cases[i].json);
                bool no_memory;
                json_t *fault = snekbox_schema_fault(body, &no_memory);
                assert_false(no_memory);
                if (!cases[i].fault && fault)
                        fail_msg("%s: %s", cases[i].json, json_string_value(fault));
                if (cases[i].fault) {
                        assert_non_null(fault);
                        assert_string_equal(json_string_value(fault), cases[i].fault);
                }
                json_decref(fault);
                json_decref(body);
        }
}

/* ---------------------------------------------------------------- files */

static void paths_stay_below_the_work_directory(void **state)
{
        static const struct {
                const char *path, *name; /* NULL: it leaves the directory */
        } cases[] = {
                { "file.txt", "file.txt" },
                { "./0.jpg", "0.jpg" },
                { "path/to/file", "path/to/file" },
                { "folder/../hm", "hm" },
                { "folder/./to/./somewhere", "folder/to/somewhere" },
                { "traversal/but/../not/beyond/../root", "traversal/not/root" },
                { "a//b/", "a/b" },
                { "back\\slash", "back\\slash" },
                { "...", "..." },
                { "..a/.b", "..a/.b" },
                { "", "" },
                { ".", "" },
                { "a/..", "" },
                { "../home/x", "x" },
                { "../home", "" },
                { "../secrets", NULL },
                { "../../dir", NULL },
                { "dir/../../secrets", NULL },
                { "dir/var/../../../file", NULL },
                { "..", NULL },
                { "../homes", NULL },
                { "../../../../../..", NULL },
        };
        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                char *name = NULL;
                int r = snekbox_path(span_of_text(cases[i].path), &name);
                if (cases[i].name) {
                        assert_int_equal(r, 0);
                        assert_string_equal(name, cases[i].name);
                } else {
                        assert_int_equal(r, -EPERM);
                }
                free(name);
        }
        char *name = NULL;
        assert_int_equal(snekbox_path((struct span){ (const uint8_t *)"a\0b", 3 }, &name), -EPERM);
}

static void base64_is_read_as_python_reads_it(void **state)
{
        static const struct {
                const char *text, *bytes; /* NULL: invalid */
        } cases[] = {
                { "", "" },
                { "Zm9v", "foo" },
                { "Zm8=", "fo" },
                { "Zg==", "f" },
                { "Zm9v\nYmFy\n", "foobar" },
                { " Z m 9 v ", "foo" },
                { "Zm9v!", "foo" },
                { "Zm8=Zm9v", "fo" },
                { "Zg=\n=", "f" },
                { "=", "" },
                { "Z", NULL },
                { "Zm9vY", NULL },
                { "Zg", NULL },
                { "Zg=", NULL },
                { "Zm8", NULL },
                { "Zm9\xc3\xa9", NULL },
                { "Zm9v\xc3\xa9", NULL },
                { "Zm8=\xc3\xa9", NULL },
        };
        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                uint8_t *bytes = NULL;
                size_t len = 0;
                int r = snekbox_base64(span_of_text(cases[i].text), &bytes, &len);
                if (cases[i].bytes) {
                        if (r != 0)
                                fail_msg("%s: %d", cases[i].text, r);
                        assert_span((struct span){ bytes, len }, cases[i].bytes);
                } else {
                        assert_int_equal(r, -EINVAL);
                }
                free(bytes);
        }
}

/* ---------------------------------------------------------------- whole requests */

enum { TOO_LONG = WIRE_MAX_STRING + 2 };

static int read_eval(struct snekbox_eval *v, const char *text, struct snekbox_fault *fault, char **message)
{
        *fault = (struct snekbox_fault){ 0 };
        *message = NULL;
        return snekbox_eval_read(v, parse(text), fault, message);
}

static void assert_words(const struct span *words, size_t n, const char *expected)
{
        char text[256] = "";
        size_t len = 0;
        for (size_t i = 0; i < n; i++)
                len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s", i > 0 ? "|" : "", (int)words[i].len,
                                        words[i].len > 0 ? (const char *)words[i].data : "");
        assert_string_equal(text, expected);
}

static void command_lines_are_split_at_the_program(void **state)
{
#define MAIN ", \"files\": [{\"path\": \"./main.py\"}, {\"path\": \"sub/x.py\"}, {\"path\": \"notes\"}]"
        static const struct {
                const char *json, *before, *entry, *args;
        } cases[] = {
                { "{\"input\": \"print(1)\"}", "-c|print(1)", "", "" },
                { "{\"input\": \"\"}", "-c|", "", "" },
                { "{\"input\": \"x\", \"args\": [\"-c\"]}", "-c|x", "", "" },
                { "{\"args\": [\"-c\", \"x\", \"\", \"-O\"]}", "-c|x", "", "|-O" },
                { "{\"args\": [\"\", \"\", \"-c\", \"x\"]}", "-c|x", "", "" },
                { "{\"input\": \"x\", \"args\": [\"\"]}", "x", "", "" },
                { "{\"input\": \"pass\", \"args\": [\"-m\", \"timeit\"]}", "-m|timeit|pass", "", "" },
                { "{\"args\": []}", "-", "", "" },
                { "{\"args\": [\"\"]}", "-", "", "" },
                { "{\"args\": [\"-c\"]}", "-c", "", "" },
                { "{\"args\": [\"-V\"]}", "-V", "", "" },
                { "{\"args\": [\"main.py\"]}", "main.py", "", "" },
                { "{\"args\": [\"main.py\", \"a\", \"\"]" MAIN "}", "", "main.py", "a|" },
                { "{\"args\": [\"sub/x.py\"]" MAIN "}", "", "sub/x.py", "" },
                { "{\"args\": [\"./main.py\", \"a\"]" MAIN "}", "./main.py|a", "", "" },
                { "{\"args\": [\"notes\"]" MAIN "}", "notes", "", "" },
                { "{\"args\": [\"-O\", \"main.py\"]" MAIN "}", "-O|main.py", "", "" },
                { "{\"args\": [\"main.py\"], \"executable_path\": \"/usr/bin/python3\"" MAIN "}", "", "main.py", "" },
                { "{\"args\": [\"main.py\"], \"executable_path\": \"/opt/python\"" MAIN "}", "main.py", "", "" },
                { "{\"input\": \"x\", \"executable_path\": \"/opt/python\"}", "-c|x", "", "" },
        };
        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                struct snekbox_eval v;
                struct snekbox_fault fault;
                char *message;
                assert_int_equal(read_eval(&v, cases[i].json, &fault, &message), SNEKBOX_RUN);
                const struct submission *x = &v.q.execute;
                assert_words(x->interpreter_args, x->n_interpreter_args, cases[i].before);
                assert_span(x->entry, cases[i].entry);
                assert_words(x->args, x->n_args, cases[i].args);
                assert_false(x->has_code);
                snekbox_eval_fini(&v);
        }
}

static void the_rest_of_a_request(void **state)
{
        struct snekbox_eval v;
        struct snekbox_fault fault;
        char *message;
        (void)state;
        int r = read_eval(
                &v,
                "{\"input\": \"\", \"files\": [{\"path\": \"b/../a\", \"content\": \"Zm9v\"}, {\"path\": \"z\"}, "
                "{\"path\": \"./a\", \"content\": \"Zm8=\"}], \"executable_path\": \"/bin/sh\"}",
                &fault, &message);
        assert_int_equal(r, SNEKBOX_RUN);
        const struct submission *x = &v.q.execute;
        assert_int_equal(v.q.kind, REQUEST_EXECUTE);
        assert_span(x->language, "python");
        assert_span(x->interpreter, "/bin/sh");
        assert_true(x->merge_stderr && x->has_collect && x->collect_changed_only && !x->truncate_output && !x->stream);
        assert_int_equal(x->n_globs, 1);
        assert_span(x->globs[0], "**");
        assert_int_equal(x->n_files, 2); /* if two files have the same name, the last file counts */
        assert_span(x->files[0].name, "a");
        assert_span(x->files[0].content, "fo");
        assert_int_equal(x->files[0].mode, 0777);
        assert_span(x->files[1].name, "z");
        assert_span(x->files[1].content, "");
        snekbox_eval_fini(&v);
}

static void limits_are_snekboxes_or_the_servers_ceilings(void **state)
{
        struct snekbox_eval v;
        struct snekbox_fault fault;
        char *message;
        (void)state;
        assert_int_equal(read_eval(&v, "{\"input\": \"\"}", &fault, &message), SNEKBOX_RUN);
        snekbox_eval_limits(&v, NULL);
        static const int64_t expected[LIMIT_COUNT] = { 6000000, 60000000, 73400320, 15, 1000000, 48 << 20, 32, 0 };
        for (size_t i = 0; i < LIMIT_COUNT; i++) {
                assert_true(v.q.execute.has_limit[i] == (expected[i] > 0));
                assert_int_equal(v.q.execute.limit[i], expected[i]);
        }
        hatchery_v1_LanguageStatus language = hatchery_v1_LanguageStatus_init_zero;
        language.has_max_limits = true;
        language.max_limits.has_wall_us = language.max_limits.has_cpu_us = language.max_limits.has_pids = true;
        language.max_limits.wall_us = 5000000;
        language.max_limits.cpu_us = 100000000;
        language.max_limits.pids = 4;
        snekbox_eval_limits(&v, &language);
        assert_int_equal(v.q.execute.limit[LIMIT_WALL], 5000000);
        assert_int_equal(v.q.execute.limit[LIMIT_CPU], 60000000);
        assert_int_equal(v.q.execute.limit[LIMIT_PIDS], 4);
        assert_int_equal(v.q.execute.limit[LIMIT_MEMORY], 73400320);
        snekbox_eval_fini(&v);
}

static void what_snekbox_refuses_or_does_not_start(void **state)
{
#define FILES(list) "{\"args\": [\"main.py\"], \"files\": [" list "]}"
        static const struct {
                const char *json, *title, *text; /* title NULL: text is the stdout of an answer */
        } cases[] = {
                { "{\"stuff\": \"foo\"}", "Request data failed validation",
                  "{'stuff': 'foo'} is not valid under any of the given schemas" },
                { FILES("{\"path\": \"../x\"}"), "Request file is invalid",
                  "File path '../x' may not traverse beyond root" },
                { FILES("{\"path\": \"a\", \"content\": \"Z\"}"), "Request file is invalid",
                  "Invalid base64 encoding for file 'a'" },
                { FILES("{\"path\": \"a\", \"content\": \"Z\"}, {\"path\": \"../x\"}"), "Request file is invalid",
                  "Invalid base64 encoding for file 'a'" },
                { "{\"input\": \"\", \"executable_path\": \"python3\"}", "executable_path does not exist", NULL },
                { "{\"input\": \"\", \"executable_path\": \"/a\\u0000\"}", "executable_path does not exist", NULL },
                { "{\"input\": \"\\u0000\"}", NULL, "ValueError: embedded null byte" },
                { "{\"args\": [\"-c\", \"1\", \"a\\u0000\"]}", NULL, "ValueError: embedded null byte" },
                { FILES("{\"path\": \"dir/test.txt\"}, {\"path\": \"dir\"}"), NULL,
                  "IsADirectoryError: Failed to create file 'dir'." },
                { FILES("{\"path\": \"a\"}, {\"path\": \"./d/e/f\"}, {\"path\": \"x/../d\"}"), NULL,
                  "IsADirectoryError: Failed to create file 'x/../d'." },
                { FILES("{\"path\": \"dir\"}, {\"path\": \"dir/b\"}, {\"path\": \"dir/a\"}"), NULL,
                  "FileExistsError: Failed to create file 'dir/b'." },
                { FILES("{\"path\": \"dir\"}, {\"path\": \"dir.x\"}, {\"path\": \"dir/a/b\"}"), NULL,
                  "NotADirectoryError: Failed to create file 'dir/a/b'." },
                { FILES("{\"path\": \"\"}"), NULL, "IsADirectoryError: Failed to create file ''." },
                { FILES("{\"path\": \"a/..\"}"), NULL, "IsADirectoryError: Failed to create file 'a/..'." },
        };
        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                struct snekbox_eval v;
                struct snekbox_fault fault;
                char *message;
                int r = read_eval(&v, cases[i].json, &fault, &message);
                assert_int_equal(r, cases[i].title ? SNEKBOX_FAULT : SNEKBOX_ANSWERED);
                if (cases[i].title)
                        assert_string_equal(fault.title, cases[i].title);
                const char *text = cases[i].title ? json_string_value(fault.description) : message;
                assert_true(!text == !cases[i].text);
                if (text)
                        assert_string_equal(text, cases[i].text);
                json_decref(fault.description);
                free(message);
                snekbox_eval_fini(&v);
        }
}

/* A body whose args are `first` and n words of len bytes each. */
static json_t *body_of(const char *first, size_t n, size_t len)
{
        json_t *args = json_array();
        char *word = malloc(len + 1);

        memset(word, 'x', len);
        json_array_append_new(args, json_string(first));
        for (size_t i = 0; i < n; i++)
                json_array_append_new(args, json_stringn(word, len));
        free(word);
        return json_pack("{s:o}", "args", args);
}

static void long_programs_become_files_and_other_long_words_are_refused(void **state)
{
        struct snekbox_eval v;
        struct snekbox_fault fault = { 0 };
        char *message = NULL;
        (void)state;
        assert_int_equal(snekbox_eval_read(&v, body_of("-c", 1, WIRE_MAX_STRING), &fault, &message), SNEKBOX_RUN);
        assert_int_equal(v.q.execute.n_interpreter_args, 2);
        snekbox_eval_fini(&v);

        assert_int_equal(snekbox_eval_read(&v, body_of("-c", 1, TOO_LONG), &fault, &message), SNEKBOX_RUN);
        assert_int_equal(v.q.execute.n_interpreter_args, 0);
        assert_int_equal(v.q.execute.n_files, 1);
        assert_span(v.q.execute.entry, "_main0.py");
        assert_int_equal(v.q.execute.files[0].content.len, TOO_LONG);
        snekbox_eval_fini(&v);

        json_t *body = body_of("-c", 1, TOO_LONG);
        json_object_set_new(body, "files", json_pack("[{s:s}]", "path", "_main0.py"));
        assert_int_equal(snekbox_eval_read(&v, body, &fault, &message), SNEKBOX_RUN);
        assert_span(v.q.execute.entry, "_main1.py");
        snekbox_eval_fini(&v);

        assert_int_equal(snekbox_eval_read(&v, body_of("-m", 1, TOO_LONG), &fault, &message), SNEKBOX_FAULT);
        assert_string_equal(json_string_value(fault.description),
                            "there are 131073 bytes in one argument, and 131071 at most are possible");
        json_decref(fault.description);
        snekbox_eval_fini(&v);

        assert_int_equal(snekbox_eval_read(&v, body_of("-O", 4159, 1), &fault, &message), SNEKBOX_RUN);
        assert_int_equal(v.q.execute.n_interpreter_args, WIRE_MAX_INTERPRETER_ARGS);
        assert_int_equal(v.q.execute.n_args, WIRE_MAX_ARGS);
        snekbox_eval_fini(&v);

        assert_int_equal(snekbox_eval_read(&v, body_of("-O", 4160, 1), &fault, &message), SNEKBOX_FAULT);
        assert_string_equal(json_string_value(fault.description),
                            "there are 4097 arguments, and 4096 at most are possible");
        json_decref(fault.description);
        snekbox_eval_fini(&v);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(values_are_shown_as_python_shows_them),
                cmocka_unit_test(a_long_value_is_cut),
                cmocka_unit_test(faults_have_the_words_of_jsonschema),
                cmocka_unit_test(paths_stay_below_the_work_directory),
                cmocka_unit_test(base64_is_read_as_python_reads_it),
                cmocka_unit_test(command_lines_are_split_at_the_program),
                cmocka_unit_test(the_rest_of_a_request),
                cmocka_unit_test(limits_are_snekboxes_or_the_servers_ceilings),
                cmocka_unit_test(what_snekbox_refuses_or_does_not_start),
                cmocka_unit_test(long_programs_become_files_and_other_long_words_are_refused),
        };
        return cmocka_run_group_tests_name("snekbox-request", tests, NULL, NULL);
}
