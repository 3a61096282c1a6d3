/* Bodies of Piston's POST /execute as requests to the pool, and the sentences for those that are refused. */
#include "gateway/contracts/piston_parts.h"
#include "gateway/json.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define LANGUAGES 4

/* The pool's status: Python, C, C++, and a language that is not installed. */
static hatchery_v1_LanguageStatus languages[LANGUAGES] = {
        { .name = "python",
          .version = "3.11.2",
          .kind = hatchery_v1_LanguageStatus_Kind_FORKED,
          .aliases = { "python3", "py" },
          .aliases_count = 2,
          .extensions = { "py" },
          .extensions_count = 1,
          .has_max_limits = true,
          .max_limits = { .has_wall_us = true,
                          .wall_us = 20000000,
                          .has_cpu_us = true,
                          .cpu_us = 15000000,
                          .has_memory_bytes = true,
                          .memory_bytes = 512 << 20 } },
        { .name = "c",
          .version = "12.2.0",
          .kind = hatchery_v1_LanguageStatus_Kind_COMPILED,
          .aliases = { "gcc" },
          .aliases_count = 1,
          .extensions = { "c" },
          .extensions_count = 1 },
        { .name = "cpp",
          .version = "12.2.0",
          .kind = hatchery_v1_LanguageStatus_Kind_COMPILED,
          .aliases = { "c++", "g++" },
          .aliases_count = 2,
          .extensions = { "cpp", "cc" },
          .extensions_count = 2 },
        { .name = "pascal" },
};

static const struct hatchery_answer status = { .answer = { .languages = languages, .n_languages = LANGUAGES } };

/* A body, and the job that was read from it. Both live until end(). */
struct reading {
        json_t *body;
        struct piston_job job;
        struct failure why;
        int result;
};

static void read_body(struct reading *r, const char *text, bool is_interactive)
{
        struct json_fault fault;

        r->body = json_read(span_of_text(text), &fault);
        if (!r->body)
                fail_msg("%s: %s", text, fault.text);
        r->result = piston_job_read(&r->job, r->body, &status, is_interactive, &r->why);
}

static void end(struct reading *r)
{
        piston_job_fini(&r->job);
        json_decref(r->body);
}

/* ---------------------------------------------------------------- refusals */

#define PYTHON      "\"language\":\"python\",\"version\":\"*\""
#define FILES       "\"files\":[{\"content\":\"1\"}]"
#define WITH(field) "{" PYTHON "," FILES "," field "}"

static const struct {
        const char *body, *message;
} refusals[] = {
        { "{}", "language is required as a string" },
        { "[]", "language is required as a string" },
        { "3", "language is required as a string" },
        { "{\"language\":3}", "language is required as a string" },
        { "{\"language\":\"\"}", "language is required as a string" },
        { "{\"language\":\"python\"}", "version is required as a string" },
        { "{\"language\":\"python\",\"version\":3}", "version is required as a string" },
        { "{\"language\":\"python\",\"version\":\"\"}", "version is required as a string" },
        { "{" PYTHON "}", "files is required as an array" },
        { "{" PYTHON ",\"files\":{}}", "files is required as an array" },
        { "{" PYTHON ",\"files\":[{}]}", "files[0].content is required as a string" },
        { "{" PYTHON ",\"files\":[3]}", "files[0].content is required as a string" },
        { "{" PYTHON ",\"files\":[{\"content\":\"\"},{\"content\":null}]}",
          "files[1].content is required as a string" },
        { "{" PYTHON ",\"files\":[]}", "files must include at least one utf8 encoded file" },
        { "{" PYTHON ",\"files\":[{\"content\":\"MQ==\",\"encoding\":\"base64\"}]}",
          "files must include at least one utf8 encoded file" },
        { "{" PYTHON ",\"files\":[{\"content\":\"1\",\"encoding\":\"latin1\"}]}",
          "files must include at least one utf8 encoded file" },
        { "{\"language\":\"cobol\",\"version\":\"*\"," FILES "}", "cobol-* runtime is unknown" },
        { "{\"language\":\"python\",\"version\":\"2.x\"," FILES "}", "python-2.x runtime is unknown" },
        { "{\"language\":\"python\",\"version\":\"new\"," FILES "}", "python-new runtime is unknown" },
        { "{\"language\":\"python\\u0000x\",\"version\":\"*\"," FILES "}", "python-* runtime is unknown" },
        /* the runtime is checked before the files, and the files before the limits */
        { "{\"language\":\"cobol\",\"version\":\"*\",\"files\":[]}", "cobol-* runtime is unknown" },
        { "{" PYTHON ",\"files\":[],\"run_timeout\":\"x\"}", "files must include at least one utf8 encoded file" },
        { WITH("\"run_timeout\":\"3000\""), "If specified, run_timeout must be a number" },
        { WITH("\"compile_memory_limit\":[]"), "If specified, compile_memory_limit must be a number" },
        { WITH("\"run_cpu_time\":true"), "If specified, run_cpu_time must be a number" },
        { WITH("\"run_timeout\":20001"), "run_timeout cannot exceed the configured limit of 20000" },
        { WITH("\"run_timeout\":1e300"), "run_timeout cannot exceed the configured limit of 20000" },
        { WITH("\"run_cpu_time\":15001"), "run_cpu_time cannot exceed the configured limit of 15000" },
        { WITH("\"compile_timeout\":20001"), "compile_timeout cannot exceed the configured limit of 20000" },
        { WITH("\"run_memory_limit\":536870913"), "run_memory_limit cannot exceed the configured limit of 536870912" },
        { WITH("\"run_timeout\":-1"), "run_timeout must be non-negative" },
        { WITH("\"compile_cpu_time\":-5"), "compile_cpu_time must be non-negative" },
        { WITH("\"run_memory_limit\":-2"), "run_memory_limit must be non-negative" },
        { WITH("\"run_memory_limit\":1000"), "run_memory_limit must be at least 4194304" },
        { WITH("\"args\":\"-v\""), "If specified, args must be an array of strings" },
        { WITH("\"args\":{}"), "If specified, args must be an array of strings" },
        { WITH("\"args\":[\"a\",3]"), "args[1] must be a string without NUL characters" },
        { WITH("\"args\":[\"a\\u0000b\"]"), "args[0] must be a string without NUL characters" },
        { WITH("\"stdin\":3"), "If specified, stdin must be a string" },
        { "{" PYTHON ",\"files\":[{\"name\":3,\"content\":\"1\"}]}",
          "files[0].name must be a string without NUL characters" },
        { "{" PYTHON ",\"files\":[{\"name\":\"a\\u0000\",\"content\":\"1\"}]}",
          "files[0].name must be a string without NUL characters" },
        { "{" PYTHON ",\"files\":[{\"name\":\"../a\",\"content\":\"1\"}]}",
          "File path \"../a\" tries to escape parent directory" },
        { "{" PYTHON ",\"files\":[{\"name\":\"a/../../b\",\"content\":\"1\"}]}",
          "File path \"a/../../b\" tries to escape parent directory" },
        { "{" PYTHON ",\"files\":[{\"name\":\"a/..\",\"content\":\"1\"}]}",
          "files[0].name must be the name of a file" },
        { "{" PYTHON ",\"files\":[{\"name\":\"a/\",\"content\":\"1\"}]}", "files[0].name must be the name of a file" },
        { "{" PYTHON ",\"files\":[{\"content\":\"1\"},{\"content\":\"?\",\"encoding\":\"base64\"}]}",
          "files[1].content is not valid base64" },
        { "{" PYTHON ",\"files\":[{\"content\":\"1\"},{\"content\":\"abcde\",\"encoding\":\"base64\"}]}",
          "files[1].content is not valid base64" },
        { "{" PYTHON ",\"files\":[{\"content\":\"1\"},{\"content\":\"0g\",\"encoding\":\"hex\"}]}",
          "files[1].content is not valid hex" },
        { "{" PYTHON ",\"files\":[{\"content\":\"1\"},{\"content\":\"012\",\"encoding\":\"hex\"}]}",
          "files[1].content is not valid hex" },
};

static void a_refusal_has_the_sentence_of_piston(void **state)
{
        struct reading r;

        (void)state;
        for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
                read_body(&r, refusals[i].body, false);
                if (r.result == 0)
                        fail_msg("%s is accepted", refusals[i].body);
                if (strcmp(r.why.message, refusals[i].message) != 0)
                        fail_msg("%s: %s", refusals[i].body, r.why.message);
                assert_int_equal(r.why.status, 400);
                end(&r);
        }
}

/* ---------------------------------------------------------------- languages and files */

static void a_language_has_names_and_a_version(void **state)
{
        static const struct {
                const char *language, *version, *ours, *name;
        } rows[] = {
                { "python", "*", "python", "python" },
                { "py", "3.x", "python", "python" },
                { "py3", ">=3.8", "python", "python" },
                { "PYTHON3", "3.11.2", "python", "python" },
                { "c++", "12", "cpp", "c++" },
                { "cpp", "12.2.0", "cpp", "c++" },
                { "g++", "^12.0.0", "cpp", "c++" },
                { "gcc", "*", "c", "c" },
                { "pascal", "3.2.0", "pascal", "pascal" }, /* it has no version, so each selector fits */
        };
        char body[256];
        struct reading r;

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                snprintf(body, sizeof body, "{\"language\":\"%s\",\"version\":\"%s\"," FILES "}", rows[i].language,
                         rows[i].version);
                read_body(&r, body, false);
                assert_int_equal(r.result, 0);
                assert_span_text(r.job.request.execute.language, rows[i].ours);
                assert_string_equal(r.job.runtime.name, rows[i].name);
                end(&r);
        }
}

static void files_have_names_and_contents(void **state)
{
        static const struct {
                const char *language, *files, *entry, *names[4], *contents[4];
        } rows[] = {
                { "python", "{\"content\":\"a\"}", "file0.code", { "file0.code" }, { "a" } },
                { "python",
                  "{\"name\":null,\"content\":\"\"},{\"name\":\"\",\"content\":\"b\"}",
                  "file0.code",
                  { "file0.code", "file1.code" },
                  { "", "b" } },
                { "python",
                  "{\"name\":\"notes.txt\",\"content\":\"a\"},{\"name\":\"main.py\",\"content\":\"b\"}",
                  "notes.txt",
                  { "notes.txt", "main.py" },
                  { "a", "b" } },
                { "python",
                  "{\"content\":\"aGk=\",\"encoding\":\"base64\"},{\"content\":\"6869\",\"encoding\":\"hex\"},"
                  "{\"content\":\"a\",\"encoding\":\"utf8\"},{\"content\":\"a-8 \\n\",\"encoding\":\"base64\"}",
                  "file2.code",
                  { "file0.code", "file1.code", "file2.code", "file3.code" },
                  { "hi", "hi", "a", "k\xef" } },
                { "python",
                  "{\"content\":\"aGk\",\"encoding\":\"latin1\"},{\"content\":\"\"}",
                  "file0.code",
                  { "file0.code", "file1.code" },
                  { "aGk", "" } },
                { "python", "{\"name\":\"/a//./b/../c.py\",\"content\":\"\"}", "a/c.py", { "a/c.py" }, { "" } },
                { "python", "{\"name\":\"./x/y/../../z\",\"content\":\"\"}", "z", { "z" }, { "" } },
                { "c",
                  "{\"content\":\"\"},{\"content\":\"\"}",
                  "file0.code.c",
                  { "file0.code.c", "file1.code.c" },
                  { "", "" } },
                { "c",
                  "{\"name\":\"prog.txt\",\"content\":\"\"},{\"name\":\"data.txt\",\"content\":\"\"}",
                  "prog.txt.c",
                  { "prog.txt.c", "data.txt" },
                  { "", "" } },
                { "c",
                  "{\"name\":\"a.h\",\"content\":\"\"},{\"name\":\"a.c\",\"content\":\"\"}",
                  "a.h",
                  { "a.h", "a.c" },
                  { "", "" } },
                { "cpp",
                  "{\"name\":\"a.cc\",\"content\":\"\"},{\"content\":\"00\",\"encoding\":\"hex\"}",
                  "a.cc",
                  { "a.cc", "file1.code" },
                  { "", "" } },
        };
        char body[1024];
        struct reading r;

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                snprintf(body, sizeof body, "{\"language\":\"%s\",\"version\":\"*\",\"files\":[%s]}", rows[i].language,
                         rows[i].files);
                read_body(&r, body, false);
                if (r.result < 0)
                        fail_msg("%s: %s", body, r.why.message);
                const struct submission *s = &r.job.request.execute;
                assert_span_text(s->entry, rows[i].entry);
                for (size_t k = 0; k < s->n_files; k++) {
                        assert_span_text(s->files[k].name, rows[i].names[k]);
                        if (*rows[i].contents[k])
                                assert_span_text(s->files[k].content, rows[i].contents[k]);
                }
                assert_true(s->n_files == 4 || !rows[i].names[s->n_files]);
                end(&r);
        }
}

/* ---------------------------------------------------------------- the rest */

static void a_standard_input_ends_with_a_newline(void **state)
{
        static const struct {
                const char *field, *input;
        } rows[] = {
                { "\"stdin\":null", "\n" },          { "\"args\":null", "\n" },       { "\"stdin\":\"\"", "\n" },
                { "\"stdin\":\"a\"", "a\n" },        { "\"stdin\":\"a\\n\"", "a\n" }, { "\"stdin\":\"\\n\"", "\n" },
                { "\"stdin\":\"a\\nb\"", "a\nb\n" },
        };
        char body[256];
        struct reading r;

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                snprintf(body, sizeof body, "{" PYTHON "," FILES ",%s}", rows[i].field);
                read_body(&r, body, false);
                assert_int_equal(r.result, 0);
                assert_span_text(r.job.request.execute.standard_input, rows[i].input);
                end(&r);
        }
        read_body(&r, WITH("\"stdin\":\"a\\u0000\""), false);
        assert_span_equal(r.job.request.execute.standard_input, "a\0\n", 3);
        end(&r);
}

#define NONE (-1)

static void limits_are_defaults_or_what_is_asked_for(void **state)
{
        static const struct {
                const char *field;
                int64_t wall, cpu, memory;
        } rows[] = {
                { "\"args\":[]", 3000000, 3000000, NONE },
                { "\"run_timeout\":0", 3000000, 3000000, NONE }, /* 0 does not lift the limit */
                { "\"run_timeout\":\"\"", 3000000, 3000000, NONE },
                { "\"run_timeout\":null", 3000000, 3000000, NONE },
                { "\"run_timeout\":false", 3000000, 3000000, NONE },
                { "\"run_timeout\":1500", 1500000, 3000000, NONE },
                { "\"run_timeout\":0.25", 250, 3000000, NONE },
                { "\"run_timeout\":1e-9", 1, 3000000, NONE },
                { "\"run_timeout\":10000", 10000000, 10000000, NONE },
                { "\"run_timeout\":20000", 20000000, 15000000, NONE },
                { "\"run_timeout\":10000,\"run_cpu_time\":4000", 10000000, 4000000, NONE },
                { "\"run_memory_limit\":-1,\"compile_memory_limit\":-1", 3000000, 3000000, NONE },
                { "\"run_memory_limit\":64000000", 3000000, 3000000, 64000000 },
        };
        char body[256];
        struct reading r;

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                snprintf(body, sizeof body, "{" PYTHON "," FILES ",%s}", rows[i].field);
                read_body(&r, body, false);
                assert_int_equal(r.result, 0);
                const struct submission *s = &r.job.request.execute;
                assert_int_equal(s->limit[LIMIT_WALL], rows[i].wall);
                assert_int_equal(s->limit[LIMIT_CPU], rows[i].cpu);
                assert_true(s->has_limit[LIMIT_WALL] && s->has_limit[LIMIT_CPU]);
                assert_int_equal(s->has_limit[LIMIT_MEMORY] ? s->limit[LIMIT_MEMORY] : NONE, rows[i].memory);
                assert_false(s->has_compile_limits);
                end(&r);
        }
}

static void a_compiler_has_limits_of_its_own(void **state)
{
        struct reading r;

        (void)state;
        read_body(&r, "{\"language\":\"c\",\"version\":\"*\"," FILES ",\"compile_memory_limit\":100000000}", false);
        const struct submission *s = &r.job.request.execute;
        assert_true(s->has_compile_limits);
        assert_int_equal(s->compile_limit[LIMIT_WALL], 10000000);
        assert_int_equal(s->compile_limit[LIMIT_CPU], 10000000);
        assert_int_equal(s->compile_limit[LIMIT_MEMORY], 100000000);
        assert_int_equal(s->limit[LIMIT_WALL], 3000000);
        assert_false(s->has_limit[LIMIT_MEMORY]);
        end(&r);
}

static void an_interactive_request_has_its_input_later(void **state)
{
        struct reading r;

        (void)state;
        read_body(&r, WITH("\"args\":[\"a\",\"\"]"), true);
        const struct submission *s = &r.job.request.execute;
        assert_true(s->stream && s->live_input && s->unbuffered);
        assert_int_equal(s->standard_input.len, 0);
        assert_int_equal(s->n_args, 2);
        assert_span_text(s->args[0], "a");
        assert_span_text(s->args[1], "");
        end(&r);
        read_body(&r, WITH("\"args\":[]"), false);
        assert_true(s->stream && !s->live_input && !s->unbuffered);
        assert_int_equal(s->n_env, 2);
        assert_span_text(s->env[1].name, "PISTON_LANGUAGE");
        assert_span_text(s->env[1].value, "python");
        end(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_refusal_has_the_sentence_of_piston),
                cmocka_unit_test(a_language_has_names_and_a_version),
                cmocka_unit_test(files_have_names_and_contents),
                cmocka_unit_test(a_standard_input_ends_with_a_newline),
                cmocka_unit_test(limits_are_defaults_or_what_is_asked_for),
                cmocka_unit_test(a_compiler_has_limits_of_its_own),
                cmocka_unit_test(an_interactive_request_has_its_input_later),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
