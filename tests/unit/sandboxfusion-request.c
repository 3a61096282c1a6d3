/* Bodies of SandboxFusion become requests to the pool, or a fault that names the field. */
#include "gateway/contracts/sandboxfusion_names.h"
#include "gateway/contracts/sandboxfusion_request.h"
#include "gateway/json.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

static const char mark[FUSION_MARK_SIZE] = "0123456789abcdef0123456789abcdef";

static json_t *parse(const char *text)
{
        struct json_fault fault;
        json_t *body = json_read(span_of_text(text), &fault);

        if (!body)
                fail_msg("%s: %s", text, fault.text);
        return body;
}

/* ---------------------------------------------------------------- names */

static void names_are_made_relative_to_the_work_directory(void **state)
{
        static const struct {
                const char *given, *name; /* name NULL: refused */
        } cases[] = {
                { "a", "a" },
                { "a/b.txt", "a/b.txt" },
                { "./a", "a" },
                { "a//b", "a/b" },
                { "a/./b", "a/b" },
                { "a/../b", "b" },
                { "a/b/../../c", "c" },
                { "...", "..." },
                { "back\\slash", "back\\slash" },
                { "/home/sandbox/a", "a" },
                { "/home/sandbox/./d/a", "d/a" },
                { "", NULL },
                { ".", NULL },
                { "/", NULL },
                { "..", NULL },
                { "../a", NULL },
                { "a/../../b", NULL },
                { "a/", NULL },
                { "/home/sandbox", NULL },
                { "/home/sandbox/", NULL },
                { "/home/sandbox/../other", NULL },
                { "/home/sandboxes/a", NULL },
                { "/tmp/a", NULL },
                { "/etc/passwd", NULL },
        };
        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                char out[FUSION_NAME_MAX + 1];
                const char *why = NULL;
                int n = fusion_name(span_of_text(cases[i].given), out, &why);
                if (cases[i].name) {
                        assert_int_equal(n, strlen(cases[i].name));
                        assert_string_equal(out, cases[i].name);
                } else if (n >= 0 || !why) {
                        fail_msg("\"%s\" was taken as \"%s\"", cases[i].given, out);
                }
        }
}

static void long_names_and_nul_bytes_are_refused(void **state)
{
        char name[2000], out[FUSION_NAME_MAX + 1];
        const char *why;

        (void)state;
        memset(name, 'a', sizeof name);
        assert_int_equal(fusion_name((struct span){ (uint8_t *)name, 255 }, out, &why), 255);
        assert_true(fusion_name((struct span){ (uint8_t *)name, 256 }, out, &why) < 0);
        for (size_t i = 100; i < sizeof name; i += 101)
                name[i] = '/';
        assert_int_equal(fusion_name((struct span){ (uint8_t *)name, 1024 }, out, &why), 1024);
        assert_true(fusion_name((struct span){ (uint8_t *)name, 1025 }, out, &why) < 0);
        assert_true(fusion_name((struct span){ (const uint8_t *)"a\0b", 3 }, out, &why) < 0);
}

/* ---------------------------------------------------------------- faults */

static const struct {
        const char *body, *type, *loc; /* loc: as compact JSON */
} code_faults[] = {
        { "[]", "model_attributes_type", "[\"body\"]" },
        { "\"text\"", "model_attributes_type", "[\"body\"]" },
        { "{}", "missing", "[\"body\",\"language\"]" },
        { "{\"code\":\"\"}", "missing", "[\"body\",\"language\"]" },
        { "{\"language\":\"python\"}", "missing", "[\"body\",\"code\"]" },
        { "{\"language\":1,\"code\":\"\"}", "string_type", "[\"body\",\"language\"]" },
        { "{\"language\":null,\"code\":\"\"}", "string_type", "[\"body\",\"language\"]" },
        { "{\"language\":\"\",\"code\":\"\"}", "literal_error", "[\"body\",\"language\"]" },
        { "{\"language\":\"0123456789012345678901234567890123\",\"code\":\"\"}", "literal_error",
          "[\"body\",\"language\"]" },
        { "{\"language\":\"python\",\"code\":null}", "string_type", "[\"body\",\"code\"]" },
        { "{\"language\":\"python\",\"code\":\"\",\"stdin\":5}", "string_type", "[\"body\",\"stdin\"]" },
        { "{\"language\":\"python\",\"code\":\"\",\"run_timeout\":null}", "float_type", "[\"body\",\"run_timeout\"]" },
        { "{\"language\":\"python\",\"code\":\"\",\"run_timeout\":\"soon\"}", "float_type",
          "[\"body\",\"run_timeout\"]" },
        { "{\"language\":\"python\",\"code\":\"\",\"run_timeout\":true}", "float_type", "[\"body\",\"run_timeout\"]" },
        { "{\"language\":\"python\",\"code\":\"\",\"run_timeout\":0}", "greater_than", "[\"body\",\"run_timeout\"]" },
        { "{\"language\":\"python\",\"code\":\"\",\"run_timeout\":-1}", "greater_than", "[\"body\",\"run_timeout\"]" },
        { "{\"language\":\"python\",\"code\":\"\",\"run_timeout\":1e300}", "less_than_equal",
          "[\"body\",\"run_timeout\"]" },
        { "{\"language\":\"cpp\",\"code\":\"\",\"compile_timeout\":[]}", "float_type",
          "[\"body\",\"compile_timeout\"]" },
        { "{\"language\":\"python\",\"code\":\"\",\"memory_limit_MB\":\"x\"}", "int_type",
          "[\"body\",\"memory_limit_MB\"]" },
        { "{\"language\":\"python\",\"code\":\"\",\"memory_limit_MB\":1.5}", "int_from_float",
          "[\"body\",\"memory_limit_MB\"]" },
        { "{\"language\":\"python\",\"code\":\"\",\"memory_limit_MB\":9223372036854775807}", "less_than_equal",
          "[\"body\",\"memory_limit_MB\"]" },
        { "{\"language\":\"python\",\"code\":\"\",\"files\":[]}", "dict_type", "[\"body\",\"files\"]" },
        { "{\"language\":\"python\",\"code\":\"\",\"files\":null}", "dict_type", "[\"body\",\"files\"]" },
        { "{\"language\":\"python\",\"code\":\"\",\"files\":{\"a\":1}}", "string_type", "[\"body\",\"files\",\"a\"]" },
        { "{\"language\":\"python\",\"code\":\"\",\"files\":{\"a\":\"?\"}}", "value_error",
          "[\"body\",\"files\",\"a\"]" },
        { "{\"language\":\"python\",\"code\":\"\",\"files\":{\"/tmp/a\":\"\"}}", "value_error",
          "[\"body\",\"files\",\"/tmp/a\"]" },
        { "{\"language\":\"python\",\"code\":\"\",\"fetch_files\":{}}", "list_type", "[\"body\",\"fetch_files\"]" },
        { "{\"language\":\"python\",\"code\":\"\",\"fetch_files\":[\"a\",7]}", "string_type",
          "[\"body\",\"fetch_files\",1]" },
        { "{\"language\":\"python\",\"code\":\"\",\"fetch_files\":[\"../a\"]}", "value_error",
          "[\"body\",\"fetch_files\",0]" },
        { "{\"language\":\"pytest\",\"code\":\"\",\"args\":[\"a\\u0000\"]}", "value_error", "[\"body\",\"args\",0]" },
        { "{\"language\":\"pytest\",\"code\":\"\",\"args\":\"-q\"}", "list_type", "[\"body\",\"args\"]" },
};

static void check_fault(const char *body, const struct fusion_fields *f, const char *type, const char *loc)
{
        if (!f->fault)
                fail_msg("%s: no fault", body);
        char *got = json_dumps(json_object_get(f->fault, "loc"), JSON_COMPACT);
        const char *got_type = json_string_value(json_object_get(f->fault, "type"));
        if (strcmp(got, loc) != 0 || strcmp(got_type, type) != 0)
                fail_msg("%s: %s at %s", body, got_type, got);
        assert_true(json_string_length(json_object_get(f->fault, "msg")) > 0);
        free(got);
}

static void what_does_not_fit_is_told_with_its_place(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof code_faults / sizeof code_faults[0]; i++) {
                struct fusion_fields f = { 0 };
                struct fusion_request r;
                if (fusion_request_code(&r, parse(code_faults[i].body), &f))
                        fail_msg("%s was taken", code_faults[i].body);
                check_fault(code_faults[i].body, &f, code_faults[i].type, code_faults[i].loc);
                fusion_request_fini(&r);
                fusion_fields_fini(&f);
        }
}

static void the_body_of_a_notebook_is_checked_too(void **state)
{
        static const struct {
                const char *body, *type, *loc;
        } cases[] = {
                { "{}", "missing", "[\"body\",\"cells\"]" },
                { "{\"cells\":\"1\"}", "list_type", "[\"body\",\"cells\"]" },
                { "{\"cells\":[1]}", "string_type", "[\"body\",\"cells\",0]" },
                { "{\"cells\":[],\"kernel\":\"julia\"}", "literal_error", "[\"body\",\"kernel\"]" },
                { "{\"cells\":[],\"total_timeout\":0}", "greater_than", "[\"body\",\"total_timeout\"]" },
                { "{\"cells\":[],\"cell_timeout\":\"x\"}", "float_type", "[\"body\",\"cell_timeout\"]" },
        };
        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                struct fusion_fields f = { 0 };
                struct fusion_request r;
                assert_false(fusion_request_jupyter(&r, parse(cases[i].body), mark, &f));
                check_fault(cases[i].body, &f, cases[i].type, cases[i].loc);
                fusion_request_fini(&r);
                fusion_fields_fini(&f);
        }
}

static void more_cells_than_the_most_are_refused(void **state)
{
        for (size_t n = FUSION_CELLS_MAX; n <= FUSION_CELLS_MAX + 1; n++) {
                json_t *cells = json_array(), *body = json_pack("{s:o}", "cells", cells);
                for (size_t i = 0; i < n; i++)
                        json_array_append_new(cells, json_string(""));
                struct fusion_fields f = { 0 };
                struct fusion_request r;
                assert_int_equal(fusion_request_jupyter(&r, body, mark, &f), n == FUSION_CELLS_MAX);
                fusion_request_fini(&r);
                fusion_fields_fini(&f);
        }
        (void)state;
}

/* ---------------------------------------------------------------- requests */

/* Reads a body that must be accepted. The caller calls fusion_request_fini. */
static void take(struct fusion_request *r, const char *body)
{
        struct fusion_fields f = { 0 };

        if (!fusion_request_code(r, parse(body), &f))
                fail_msg("%s: %s", body, json_string_value(json_object_get(f.fault, "msg")));
        fusion_fields_fini(&f);
}

static void the_least_body_has_the_defaults_of_the_peer(void **state)
{
        struct fusion_request r;

        (void)state;
        take(&r, "{\"code\":\"print(1)\",\"language\":\"python\"}");
        const struct submission *x = &r.q.execute;
        assert_int_equal(r.q.kind, REQUEST_EXECUTE);
        assert_span_text(x->language, "python");
        assert_true(x->has_code);
        assert_span_text(x->code, "print(1)");
        assert_true(x->has_limit[LIMIT_WALL] && x->has_limit[LIMIT_CPU]);
        assert_int_equal(x->limit[LIMIT_WALL], 10000000);
        assert_int_equal(x->limit[LIMIT_CPU], 10000000);
        assert_false(x->has_limit[LIMIT_MEMORY] || x->has_limit[LIMIT_OUTPUT] || x->has_compile_limits);
        assert_true(x->truncate_output);
        assert_int_equal(x->standard_input.len, 0);
        assert_false(x->has_collect);
        assert_int_equal(x->n_files + x->n_args + x->n_env, 0);
        fusion_request_fini(&r);
}

static void a_full_body_comes_through(void **state)
{
        struct fusion_request r;

        (void)state;
        take(&r, "{\"code\":\"int main(){}\",\"language\":\"cpp\",\"compile_timeout\":2.5,\"run_timeout\":\"1.5\","
                 "\"memory_limit_MB\":64.0,\"stdin\":\"in\\u0000put\",\"files\":{\"./d/a.h\":\"aGk=\",\"b\":null,"
                 "\"c\":\"aG\\nk=\"},\"fetch_files\":[\"/home/sandbox/out\",\"./d/a.h\"],\"args\":[\"x\"],\"more\":1}");
        const struct submission *x = &r.q.execute;
        assert_int_equal(x->limit[LIMIT_WALL], 1500000);
        assert_true(x->has_compile_limits && x->has_compile_limit[LIMIT_WALL]);
        assert_int_equal(x->compile_limit[LIMIT_WALL], 2500000);
        assert_int_equal(x->limit[LIMIT_MEMORY], 64 << 20);
        assert_span_equal(x->standard_input, "in\0put", 6);
        assert_int_equal(x->n_files, 2);
        assert_span_text(x->files[0].name, "d/a.h");
        assert_span_text(x->files[0].content, "hi");
        assert_span_text(x->files[1].content, "hi");
        assert_int_equal(x->n_globs, 2);
        assert_span_text(x->globs[0], "out");
        assert_string_equal(r.fetch[0].asked, "/home/sandbox/out");
        assert_span_text(x->args[0], "x");
        fusion_request_forget_input(&r);
        assert_int_equal(r.n_fetch, 2); /* the answer needs the list */
        fusion_request_fini(&r);
}

static void languages_have_the_names_of_the_peer(void **state)
{
        static const struct {
                const char *theirs, *ours;
                bool compiled;
        } cases[] = {
                { "python", "python", false }, { "nodejs", "javascript", false }, { "R", "r", false },
                { "sql", "sqlite", false },    { "ts", "typescript", true },      { "c", "c", true },
                { "go", "go", true },          { "rust", "rust", true },          { "java", "java", false },
                { "cuda", "cuda", false },     { "tcl", "tcl", false },
        };
        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                char body[100];
                struct fusion_request r;
                snprintf(body, sizeof body, "{\"code\":\"\",\"language\":\"%s\"}", cases[i].theirs);
                take(&r, body);
                assert_span_text(r.q.execute.language, cases[i].ours);
                assert_int_equal(r.q.execute.has_compile_limits, cases[i].compiled);
                fusion_request_fini(&r);
        }
}

static void a_file_with_the_main_name_moves_the_program_aside(void **state)
{
        struct fusion_request r;

        (void)state;
        take(&r, "{\"code\":\"import main\",\"language\":\"python\",\"files\":{\"main.py\":\"\"}}");
        assert_false(r.q.execute.has_code);
        assert_span_text(r.q.execute.entry, "program.py");
        assert_int_equal(r.q.execute.n_files, 2);
        assert_span_text(r.q.execute.files[1].content, "import main");
        fusion_request_fini(&r);

        take(&r, "{\"code\":\"class Main{}\",\"language\":\"java\",\"files\":{\"Main.java\":\"\",\"B.java\":\"\"}}");
        assert_true(r.q.execute.has_code);
        assert_int_equal(r.q.execute.n_files, 1);
        assert_span_text(r.q.execute.files[0].name, "B.java");
        fusion_request_fini(&r);
}

static void what_the_peer_adds_to_a_program_is_added(void **state)
{
        struct fusion_request r;

        (void)state;
        take(&r, "{\"code\":\"echo 1;\",\"language\":\"php\"}");
        assert_span_text(r.q.execute.code, "<?php echo 1;");
        fusion_request_fini(&r);
        take(&r, "{\"code\":\"hi <?php echo 1;\",\"language\":\"php\"}");
        assert_span_text(r.q.execute.code, "hi <?php echo 1;");
        fusion_request_fini(&r);
        take(&r, "{\"code\":\"assert 1 == 2;\",\"language\":\"java\"}");
        assert_int_equal(r.q.execute.n_env, 1);
        assert_span_text(r.q.execute.env[0].value, "-ea");
        fusion_request_fini(&r);
        take(&r, "{\"code\":\"class Main{}\",\"language\":\"java\"}");
        assert_int_equal(r.q.execute.n_env, 0);
        fusion_request_fini(&r);
}

static void a_notebook_is_a_program_that_reads_its_cells(void **state)
{
        struct fusion_fields f = { 0 };
        struct fusion_request r;
        struct json_fault fault;

        (void)state;
        assert_true(fusion_request_jupyter(&r, parse("{\"cells\":[\"1\",\"2\"],\"cell_timeout\":1.5}"), mark, &f));
        json_t *input = json_read(r.q.execute.standard_input, &fault);
        assert_int_equal(json_integer_value(json_object_get(input, "cell_us")), 1500000);
        assert_int_equal(json_integer_value(json_object_get(input, "total_us")), 45000000);
        assert_int_equal(json_array_size(json_object_get(input, "cells")), 2);
        assert_string_equal(json_string_value(json_object_get(input, "mark")), mark);
        assert_int_equal(r.n_cells, 2);
        assert_int_equal(r.q.execute.limit[LIMIT_WALL], 45000000);
        assert_int_equal(r.q.execute.n_files, 1);
        assert_span_text(r.q.execute.entry, ".hatchery-cells.py");
        json_decref(input);
        fusion_request_fini(&r);
        fusion_fields_fini(&f);
}

static void refusals_of_the_pool_are_laid_to_a_field(void **state)
{
        static const struct {
                const char *sentence, *field;
        } cases[] = {
                { "wall is 100 s; it must be at most 60 s here (limits.wall_us)", "run_timeout" },
                { "compile-wall is 100 s; it must be at most 60 s here (compile_limits.wall_us)", "compile_timeout" },
                { "memory is 1 MiB; it must be at least 4 MiB here (limits.memory_bytes)", "memory_limit_MB" },
                { "two files are called a", "files" },
                { "something else", NULL },
        };
        struct fusion_request r = { 0 };

        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                const char *field = fusion_request_field(&r, cases[i].sentence);
                if (cases[i].field)
                        assert_string_equal(field, cases[i].field);
                else
                        assert_null(field);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_are_made_relative_to_the_work_directory),
                cmocka_unit_test(long_names_and_nul_bytes_are_refused),
                cmocka_unit_test(what_does_not_fit_is_told_with_its_place),
                cmocka_unit_test(the_body_of_a_notebook_is_checked_too),
                cmocka_unit_test(more_cells_than_the_most_are_refused),
                cmocka_unit_test(the_least_body_has_the_defaults_of_the_peer),
                cmocka_unit_test(a_full_body_comes_through),
                cmocka_unit_test(languages_have_the_names_of_the_peer),
                cmocka_unit_test(a_file_with_the_main_name_moves_the_program_aside),
                cmocka_unit_test(what_the_peer_adds_to_a_program_is_added),
                cmocka_unit_test(a_notebook_is_a_program_that_reads_its_cells),
                cmocka_unit_test(refusals_of_the_pool_are_laid_to_a_field),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
