/* Does a request make sense? */
#include "pool/core/check.h"

#include "tests/unit/unit.h"

#include <stdio.h>

struct fixture {
        int64_t standard[LIMIT_COUNT], ceiling[LIMIT_COUNT];
        int64_t compile_standard[LIMIT_COUNT], compile_ceiling[LIMIT_COUNT];
        struct check_rules rules;
        struct check_plan plan;
        struct refusal refusal;
        struct submission x;
        struct file_span files[4];
        struct span globs[2];
};

static int set_up(void **state)
{
        struct fixture *f = test_calloc(1, sizeof *f);
        for (size_t i = 0; i < LIMIT_COUNT; i++) {
                f->standard[i] = limit_table[i].standard;
                f->ceiling[i] = limit_table[i].ceiling;
                f->compile_standard[i] = 2 * limit_table[i].standard;
                f->compile_ceiling[i] = 2 * limit_table[i].ceiling;
        }
        f->rules = (struct check_rules){ .main_file = "main.py",
                                         .standard = f->standard,
                                         .ceiling = f->ceiling,
                                         .compile_standard = f->compile_standard,
                                         .compile_ceiling = f->compile_ceiling,
                                         .collect_max_files = 10,
                                         .collect_max_bytes = 1000 };
        f->x.files = f->files;
        f->x.globs = f->globs;
        *state = f;
        return 0;
}

static int tear_down(void **state)
{
        test_free(*state);
        return 0;
}

static void code(struct fixture *f, const char *text)
{
        f->x.has_code = true;
        f->x.code = span_of_text(text);
}

static void file(struct fixture *f, const char *name)
{
        f->files[f->x.n_files++] = (struct file_span){ .name = span_of_text(name), .content = span_of_text("12345") };
}

static void assert_taken(struct fixture *f, const char *entry)
{
        if (check_execute(&f->x, &f->rules, &f->plan, &f->refusal) != 0)
                fail_msg("refused: %s", f->refusal.text);
        assert_span_text(f->plan.entry, entry);
}

static void assert_invalid(struct fixture *f, const char *word)
{
        assert_int_equal(check_execute(&f->x, &f->rules, &f->plan, &f->refusal), REFUSED);
        assert_int_equal(f->refusal.code, REFUSAL_INVALID_ARGUMENT);
        if (!strstr(f->refusal.text, word))
                fail_msg("\"%s\" does not contain \"%s\"", f->refusal.text, word);
}

static void code_becomes_the_main_file_even_if_empty(void **state)
{
        struct fixture *f = *state;
        code(f, "");
        assert_taken(f, "main.py");
        file(f, "other.py");
        assert_taken(f, "main.py");
}

static void the_compile_stage_has_limits_of_its_own(void **state)
{
        struct fixture *f = *state;
        code(f, "");
        f->rules.compiled = true;
        assert_taken(f, "main.py");
        for (size_t i = 0; i < LIMIT_COUNT; i++) {
                assert_true(f->plan.limit[i] == f->standard[i]);
                assert_true(f->plan.compile_limit[i] == f->compile_standard[i]);
        }
        f->x.has_compile_limits = f->x.has_compile_limit[LIMIT_WALL] = true;
        f->x.compile_limit[LIMIT_WALL] = f->compile_ceiling[LIMIT_WALL];
        assert_taken(f, "main.py");
        assert_true(f->plan.compile_limit[LIMIT_WALL] == f->compile_ceiling[LIMIT_WALL]);
        assert_true(f->plan.limit[LIMIT_WALL] == f->standard[LIMIT_WALL]);
        f->x.compile_limit[LIMIT_WALL]++;
        assert_invalid(f, "compile_limits.wall_us");
        f->x.compile_limit[LIMIT_WALL] = 0;
        assert_invalid(f, "compile-wall is 0 us; it must be at least 1 us here (compile_limits.wall_us)");
        f->x.has_compile_limit[LIMIT_WALL] = false;
        assert_taken(f, "main.py");
        f->x.has_compile_limit[LIMIT_DISK] = true;
        f->x.compile_limit[LIMIT_DISK] = 4;
        file(f, "other.c");
        assert_invalid(f, "compile_limits.disk_bytes");
}

static void limits_of_a_compile_stage_that_there_is_not_are_refused(void **state)
{
        struct fixture *f = *state;
        code(f, "");
        f->x.language = span_of_text("python");
        f->x.has_compile_limits = true;
        assert_invalid(f, "\"python\" has no compile stage");
}

static void priorities_have_a_range(void **state)
{
        struct fixture *f = *state;
        code(f, "");
        f->x.priority = 7;
        assert_taken(f, "main.py");
        f->x.priority = 8;
        assert_invalid(f, "priority is 8");
}

static void nothing_to_run_is_refused(void **state)
{
        assert_invalid(*state, "nothing to run");
}

static void code_and_entry_are_refused(void **state)
{
        struct fixture *f = *state;
        code(f, "1");
        file(f, "a.py");
        f->x.entry = span_of_text("a.py");
        assert_invalid(f, "entry");
}

static void a_file_in_the_way_of_code_is_refused(void **state)
{
        struct fixture *f = *state;
        code(f, "1");
        file(f, "main.py");
        assert_invalid(f, "main.py");
        f->files[0].name = span_of_text("main.py/x");
        assert_invalid(f, "main.py");
        f->files[0].name = span_of_text("main.pyx");
        assert_taken(f, "main.py");
}

static void one_file_needs_no_entry(void **state)
{
        struct fixture *f = *state;
        file(f, "dir/a.py");
        assert_taken(f, "dir/a.py");
}

static void several_files_need_an_entry_or_the_main_file(void **state)
{
        struct fixture *f = *state;
        file(f, "a.py");
        file(f, "b.py");
        assert_invalid(f, "entry");
        file(f, "main.py");
        assert_taken(f, "main.py");
        f->x.entry = span_of_text("b.py");
        assert_taken(f, "b.py");
        f->x.entry = span_of_text("c.py");
        assert_invalid(f, "c.py");
}

static void a_mode_beyond_permissions_is_refused(void **state)
{
        struct fixture *f = *state;
        file(f, "a.py");
        f->files[0].mode = 04755;
        assert_invalid(f, "0777");
        f->files[0].mode = 0777;
        assert_taken(f, "a.py");
}

static void files_over_the_disk_limit_are_refused(void **state)
{
        struct fixture *f = *state;
        code(f, "12345");
        file(f, "a");
        f->x.has_limit[LIMIT_DISK] = true;
        f->x.limit[LIMIT_DISK] = 9;
        assert_invalid(f, "disk_bytes");
        f->x.limit[LIMIT_DISK] = 10;
        assert_taken(f, "main.py");
}

static void an_absent_limit_is_the_default(void **state)
{
        struct fixture *f = *state;
        code(f, "");
        assert_taken(f, "main.py");
        assert_memory_equal(f->plan.limit, f->standard, sizeof f->standard);
}

static void each_limit_may_lie_between_its_floor_and_its_ceiling(void **state)
{
        struct fixture *f = *state;
        code(f, "");
        for (size_t i = 0; i < LIMIT_COUNT; i++) {
                f->x.has_limit[i] = true;
                f->x.limit[i] = limit_table[i].floor;
                assert_taken(f, "main.py");
                f->x.limit[i] = f->ceiling[i];
                assert_taken(f, "main.py");
                assert_int_equal(f->plan.limit[i], f->ceiling[i]);
        }
}

static void a_limit_out_of_bounds_is_refused_with_field_value_and_bound(void **state)
{
        struct fixture *f = *state;
        code(f, "");
        for (size_t i = 0; i < LIMIT_COUNT; i++) {
                const int64_t bad[] = { 0, limit_table[i].floor - 1, -1, INT64_MIN, f->ceiling[i] + 1, INT64_MAX };
                f->x.has_limit[i] = true;
                for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
                        const struct limit_row *row = &limit_table[i];
                        char number[LIMIT_TEXT_SIZE];
                        f->x.limit[i] = bad[k];
                        assert_invalid(f, row->name);
                        assert_non_null(strstr(f->refusal.text, row->option));
                        assert_non_null(strstr(f->refusal.text, limit_text(number, row->unit, bad[k])));
                        limit_text(number, row->unit, bad[k] < row->floor ? row->floor : f->ceiling[i]);
                        assert_non_null(strstr(f->refusal.text, number));
                }
                f->x.has_limit[i] = false;
        }
}

static void collecting_has_ceilings(void **state)
{
        struct fixture *f = *state;
        code(f, "");
        f->x.has_collect = true;
        f->x.n_globs = 1;
        f->globs[0] = span_of_text("**/*.txt");
        assert_taken(f, "main.py");
        assert_int_equal(f->plan.collect_files, 10);
        assert_int_equal(f->plan.collect_bytes, 1000);
        f->x.collect_max_files = 11;
        assert_invalid(f, "collect.max_files");
        f->x.collect_max_files = 2;
        f->x.collect_max_bytes = 1001;
        assert_invalid(f, "collect.max_bytes");
        f->x.collect_max_bytes = 5;
        assert_taken(f, "main.py");
        assert_int_equal(f->plan.collect_files, 2);
        assert_int_equal(f->plan.collect_bytes, 5);
}

static void a_glob_stays_within_the_work_directory(void **state)
{
        struct fixture *f = *state;
        static const char *const bad[] = { "", "/etc/*", "../*", "a/../b" };
        code(f, "");
        f->x.n_globs = 2;
        f->globs[0] = span_of_text("*");
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
                f->globs[1] = span_of_text(bad[i]);
                assert_invalid(f, "collect.globs");
        }
}

/* ---------------------------------------------------------------- interpreters and terminals */

static void words_for_the_interpreter(struct fixture *f)
{
        static struct span words[1];
        words[0] = span_of_text("-x");
        f->x.interpreter_args = words;
        f->x.n_interpreter_args = 1;
}

static void terminal(struct fixture *f)
{
        f->x.has_terminal = f->x.stream = f->x.live_input = true;
        f->x.terminal = (struct terminal_size){ 24, 80 };
}

static void with_words_for_the_interpreter_the_program_is_what_is_named(void **state)
{
        struct fixture *f = *state;
        f->rules.starts_fresh = true;
        words_for_the_interpreter(f);
        assert_taken(f, "");
        file(f, "main.py");
        assert_taken(f, "");
        file(f, "b.py");
        assert_taken(f, "");
        f->x.entry = span_of_text("b.py");
        assert_taken(f, "b.py");
        f->x.entry = span_of_text("c.py");
        assert_invalid(f, "entry is \"c.py\", which is not among the files");
        f->x.entry = (struct span){ 0 };
        f->x.n_files = 0;
        code(f, "");
        assert_taken(f, "main.py");
}

static void an_entry_without_files_is_refused(void **state)
{
        struct fixture *f = *state;
        f->rules.starts_fresh = f->rules.prompts = true;
        f->x.entry = span_of_text("c.py");
        assert_invalid(f, "entry is \"c.py\", which is not among the files");
        words_for_the_interpreter(f);
        assert_invalid(f, "entry is \"c.py\", which is not among the files");
        terminal(f);
        assert_invalid(f, "entry is \"c.py\", which is not among the files");
}

static void another_interpreter_needs_a_program(void **state)
{
        struct fixture *f = *state;
        f->rules.starts_fresh = f->rules.prompts = true;
        f->x.interpreter = span_of_text("other");
        assert_invalid(f, "there is nothing to run");
        file(f, "a.py");
        assert_taken(f, "a.py");
}

static void interpreters_are_for_languages_that_start_one(void **state)
{
        struct fixture *f = *state;
        code(f, "1");
        f->x.language = span_of_text("newt");
        words_for_the_interpreter(f);
        assert_invalid(f, "interpreter_args is set, but \"newt\" has no interpreter that could be started with it");
        f->rules.compiled = true;
        assert_invalid(f, "interpreter_args is set, but \"newt\" is compiled");
        f->x.n_interpreter_args = 0;
        assert_taken(f, "main.py");
        f->x.interpreter = span_of_text("other");
        assert_invalid(f, "interpreter is set, but \"newt\" is compiled");
        f->rules.compiled = false;
        assert_invalid(f, "interpreter is set, but \"newt\" has no interpreter that could be started with it");
        f->rules.starts_fresh = true;
        assert_taken(f, "main.py");
}

static void a_terminal_is_read_and_written_while_the_program_runs(void **state)
{
        struct fixture *f = *state;
        code(f, "1");
        terminal(f);
        assert_taken(f, "main.py");
        f->x.stream = false;
        assert_invalid(f, "terminal is set without stream;");
        f->x.live_input = false;
        assert_invalid(f, "terminal is set without stream and live_stdin;");
        f->x.stream = true;
        assert_invalid(f, "terminal is set without live_stdin;");
        f->x.has_terminal = false;
        assert_taken(f, "main.py");
}

static void a_terminal_has_a_size(void **state)
{
        struct fixture *f = *state;
        code(f, "1");
        terminal(f);
        f->x.terminal = (struct terminal_size){ 1, TERMINAL_MAX };
        assert_taken(f, "main.py");
        f->x.terminal.columns++;
        assert_invalid(f, "terminal.columns is 65536; it is at least 1 and at most 65535");
        f->x.terminal.columns = 0;
        assert_invalid(f, "terminal.columns is 0");
        f->x.terminal = (struct terminal_size){ 0, 1 };
        assert_invalid(f, "terminal.rows is 0");
        f->x.terminal.rows = UINT32_MAX;
        assert_invalid(f, "terminal.rows is 4294967295");
}

static void a_terminal_without_a_program_is_for_languages_with_a_prompt(void **state)
{
        struct fixture *f = *state;
        f->x.language = span_of_text("newt");
        terminal(f);
        assert_invalid(f, "there is nothing to run, and \"newt\" has no prompt of its own");
        f->rules.prompts = true;
        assert_taken(f, "");
        file(f, "a.py");
        assert_taken(f, "a.py");
        file(f, "b.py");
        assert_invalid(f, "name the file to start in entry");
        f->x.n_files = 0;
        f->x.has_terminal = false;
        assert_invalid(f, "or ask for a terminal");
}

static void nothing_is_echoed_by_an_interpreter_that_is_started_anew(void **state)
{
        struct fixture *f = *state;
        code(f, "1");
        f->rules.starts_fresh = f->rules.echoes = true;
        f->x.echo_last_expression = true;
        assert_taken(f, "main.py");
        terminal(f);
        assert_invalid(f, "echo_last_expression is set together with terminal");
        f->x.has_terminal = false;
        words_for_the_interpreter(f);
        assert_invalid(f, "echo_last_expression is set together with interpreter_args");
        f->x.n_interpreter_args = 0;
        f->x.interpreter = span_of_text("other");
        assert_invalid(f, "echo_last_expression is set together with interpreter,");
}

int main(void)
{
#define CHECK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CHECK(code_becomes_the_main_file_even_if_empty),
                CHECK(nothing_to_run_is_refused),
                CHECK(the_compile_stage_has_limits_of_its_own),
                CHECK(limits_of_a_compile_stage_that_there_is_not_are_refused),
                CHECK(priorities_have_a_range),
                CHECK(code_and_entry_are_refused),
                CHECK(a_file_in_the_way_of_code_is_refused),
                CHECK(one_file_needs_no_entry),
                CHECK(several_files_need_an_entry_or_the_main_file),
                CHECK(a_mode_beyond_permissions_is_refused),
                CHECK(files_over_the_disk_limit_are_refused),
                CHECK(an_absent_limit_is_the_default),
                CHECK(each_limit_may_lie_between_its_floor_and_its_ceiling),
                CHECK(a_limit_out_of_bounds_is_refused_with_field_value_and_bound),
                CHECK(collecting_has_ceilings),
                CHECK(a_glob_stays_within_the_work_directory),
                CHECK(with_words_for_the_interpreter_the_program_is_what_is_named),
                CHECK(an_entry_without_files_is_refused),
                CHECK(another_interpreter_needs_a_program),
                CHECK(interpreters_are_for_languages_that_start_one),
                CHECK(a_terminal_is_read_and_written_while_the_program_runs),
                CHECK(a_terminal_has_a_size),
                CHECK(a_terminal_without_a_program_is_for_languages_with_a_prompt),
                CHECK(nothing_is_echoed_by_an_interpreter_that_is_started_anew),
        };
        return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
