/* The parts of the `hatchery` command that need no server: options, names, exit codes, text, base64, and the output
 * directory, whose files are named by untrusted programs. */
#include "client/base64.h"
#include "client/options.h"
#include "client/outdir.h"
#include "client/program.h"
#include "client/report.h"
#include "client/text.h"
#include "proto/base/own.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_WORDS = 32 };

static int parse(struct options *o, enum command command, struct err *e, const char *const *words)
{
        char *argv[MAX_WORDS] = { 0 };
        int argc = 0;
        for (; words[argc]; argc++)
                argv[argc] = (char *)(uintptr_t)words[argc];
        return options_parse(o, command, argc, argv, e);
}

#define PARSE(o, e, ...) parse(o, COMMAND_RUN, e, (const char *const[]){ "run", __VA_ARGS__, NULL })

static void base64_matches_the_rfc(void **state)
{
        (void)state;
        static const char *const pairs[][2] = {
                { "", "" },
                { "f", "Zg==" },
                { "fo", "Zm8=" },
                { "foo", "Zm9v" },
                { "foob", "Zm9vYg==" },
                { "fooba", "Zm9vYmE=" },
                { "foobar", "Zm9vYmFy" },
                { "\xff\xfe\xfd", "//79" },
        };
        for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
                size_t len;
                OWN_MEM char *out = base64_encode((const uint8_t *)pairs[i][0], strlen(pairs[i][0]), &len);
                assert_string_equal(out, pairs[i][1]);
                assert_int_equal(len, strlen(pairs[i][1]));
        }
}

static void times_and_sizes_read_well(void **state)
{
        (void)state;
        char out[TEXT_SIZE];
        assert_string_equal(text_us(out, 0), "0 us");
        assert_string_equal(text_us(out, 999), "999 us");
        assert_string_equal(text_us(out, 1230), "1.23 ms");
        assert_string_equal(text_us(out, 500000), "500 ms");
        assert_string_equal(text_us(out, 2000000), "2 s");
        assert_string_equal(text_us(out, 2003000), "2.003 s");
        assert_string_equal(text_bytes(out, 1), "1 byte");
        assert_string_equal(text_bytes(out, 1023), "1023 bytes");
        assert_string_equal(text_bytes(out, 1536), "1.5 KiB");
        assert_string_equal(text_bytes(out, 64 << 20), "64 MiB");
        text_us(out, UINT64_MAX);
        text_bytes(out, UINT64_MAX);
        assert_true(strlen(out) < TEXT_SIZE);
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
        (void)state;
        char text[] = "a\x1b[31m\nb\x7f\xc2\x9b\xc3\xa9";
        text_clean(text);
        assert_string_equal(text, "a?[31m b???\xc3\xa9");
}

static void bytes_that_are_not_utf8_are_replaced(void **state)
{
        (void)state;
        size_t len;
        OWN_MEM char *out = text_to_utf8((const uint8_t *)"a\xff\xc3\xa9\xc3", 5, &len);
        assert_string_equal(out, "a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd");
        assert_int_equal(len, 9);
}

static void words_after_two_dashes_are_arguments(void **state)
{
        (void)state;
        struct options o;
        struct err e = { 0 };
        assert_int_equal(PARSE(&o, &e, "a.py", "--wall", "2s", "b.py", "--env", "A=B", "--", "--json", "-e", "c"), 0);
        assert_int_equal(o.programs.n, 2);
        assert_string_equal(o.programs.items[1], "b.py");
        assert_int_equal(o.args.n, 3);
        assert_string_equal(o.args.items[0], "--json");
        assert_false(o.json);
        assert_null(o.code);
        assert_true(o.has_limit[LIMIT_WALL]);
        assert_int_equal(o.limit[LIMIT_WALL], 2000000);
        options_fini(&o);
}

static void every_limit_of_the_table_is_an_option(void **state)
{
        (void)state;
        for (int i = 0; i < LIMIT_COUNT; i++) {
                char word[32];
                struct options o;
                struct err e = { 0 };
                snprintf(word, sizeof word, "--%s=3", limit_table[i].option);
                assert_int_equal(PARSE(&o, &e, "-e", "", word), 0);
                assert_true(o.has_limit[i]);
                assert_int_equal(o.limit[i], limit_table[i].unit == LIMIT_UNIT_US ? 3000000 : 3);
                options_fini(&o);
        }
}

static void command_lines_without_sense_are_refused(void **state)
{
        (void)state;
        static const char *const bad[][7] = {
                { "run", NULL },
                { "run", "-e", NULL },
                { "run", "-e", "a", "-e", "b", NULL },
                { "run", "-e", "a", "b.py", NULL },
                { "run", "--nosuch", NULL },
                { "run", "-e", "a", "--wall", "-1", NULL },
                { "run", "-e", "a", "--priority", "high", NULL },
                { "run", "-e", "a", "--priority", "4294967296", NULL },
                { "run", "-e", "a", "--env", "=x", NULL },
                { "run", "-e", "a", "--file", "x", NULL },
                { "run", "-e", "a", "--collect", "x", NULL },
                { "run", "-e", "a", "--out", "x", NULL },
                { "run", "-e", "a", "--collect-all", NULL },
                { "run", "-e", "a", "--wait", "soon", NULL },
                { "run", "-", "--stdin", "-", NULL },
                { "run", "-e", "a", "--unbuffered", "--buffered", NULL },
                { "run", "-i", NULL },
                { "run", "--interpreter", "lua5.3", NULL },
                { "run", "-i", "-e", "a", "--stdin", "f", NULL },
                { "run", "-t", "-e", "a", "--stdin", "-", NULL },
                { "run", "-i", "-", NULL },
                { "run", "-t", "--json", NULL },
        };
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
                struct options o;
                struct err e = { 0 };
                assert_int_equal(parse(&o, COMMAND_RUN, &e, bad[i]), -EINVAL);
                assert_true(strlen(e.text) > 10);
                options_fini(&o);
        }
        struct options o;
        struct err e = { 0 };
        assert_int_equal(parse(&o, COMMAND_PING, &e, (const char *const[]){ "ping", "--wall", "2s", NULL }), -EINVAL);
        options_fini(&o);
}

static void files_get_their_names_and_the_program_its_language(void **state)
{
        (void)state;
        char directory[] = "/tmp/test-client-XXXXXX", lua[64], tool[64], pair[80];
        assert_non_null(mkdtemp(directory));
        snprintf(lua, sizeof lua, "%s/m.lua", directory);
        snprintf(tool, sizeof tool, "%s/./../%s/tool", directory, directory + 5);
        snprintf(pair, sizeof pair, "d/data=%s", lua);
        OWN_FD int a = open(lua, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        OWN_FD int b = open(tool, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
        assert_int_equal(write(a, "code", 4), 4);
        assert_true(b >= 0);

        struct options o;
        struct program p;
        struct err e = { 0 };
        assert_int_equal(PARSE(&o, &e, lua, tool, "--file", pair), 0);
        assert_int_equal(program_init(&p, &o, &e), 0);
        const struct submission *x = &p.request.execute;
        assert_int_equal(x->n_files, 3);
        assert_span_text(x->files[0].name, "m.lua");
        assert_span_text(x->files[0].content, "code");
        assert_span_text(x->files[1].name, "tool");
        assert_int_equal(x->files[1].mode, 0755);
        assert_span_text(x->files[2].name, "d/data");
        assert_span_text(x->entry, "m.lua");
        assert_int_equal(x->language.len, 0); /* empty: the server is asked */
        assert_string_equal(p.guess.ending, "lua");
        assert_string_equal(p.guess.file, "m.lua");
        assert_false(x->has_code);
        program_fini(&p);
        options_fini(&o);

        assert_int_equal(PARSE(&o, &e, "-e", ""), 0);
        assert_int_equal(program_init(&p, &o, &e), 0);
        assert_true(p.request.execute.has_code);
        assert_span_text(p.request.execute.language, "python");
        program_fini(&p);
        options_fini(&o);

        /* Relative paths keep their directories, without parts such as ".". */
        int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_return_code(chdir("/tmp"), errno);
        snprintf(pair, sizeof pair, "./%s//m.lua", directory + 5);
        snprintf(lua, sizeof lua, "%s/m.lua", directory + 5);
        assert_int_equal(PARSE(&o, &e, pair), 0);
        assert_int_equal(program_init(&p, &o, &e), 0);
        assert_span_text(p.request.execute.entry, lua);
        program_fini(&p);
        options_fini(&o);

        assert_return_code(unlink(lua), errno);
        assert_return_code(unlink(tool), errno);
        assert_return_code(rmdir(directory), errno);
        assert_return_code(fchdir(here), errno);
        close(here);
}

static void what_did_not_come_is_told(void **state)
{
        (void)state;
        struct span globs[] = { span_of_text("*.txt"), span_of_text("in"), span_of_text("*.png") };
        struct file_span sent = { .name = span_of_text("in") }, came = { .name = span_of_text("a.txt") };
        struct submission x = {
                .globs = globs, .n_globs = 3, .files = &sent, .n_files = 1, .collect_changed_only = true
        };
        struct answer a = { .files = &came, .n_files = 1, .out = span_of_text("0123456789") };
        const uint64_t streamed[2] = { 1000, 0 };
        hatchery_v1_Result *r = &a.m.answer.result;
        char out[REPORT_SIZE];

        r->status = hatchery_v1_Result_Status_EXITED;
        assert_false(report_unmatched(out, &x, 0, &a));
        assert_true(report_unmatched(out, &x, 1, &a));
        assert_string_equal(
                out, "--collect 'in' matched only unchanged files of the request; --collect-all collects these, too");
        assert_true(report_unmatched(out, &x, 2, &a));
        assert_string_equal(out, "--collect '*.png' matched nothing that the run made or changed");
        x.collect_changed_only = false;
        assert_true(report_unmatched(out, &x, 2, &a));
        assert_string_equal(out, "--collect '*.png' matched nothing");
        r->status = hatchery_v1_Result_Status_COMPILE_ERROR;
        assert_false(report_unmatched(out, &x, 2, &a));

        r->status = hatchery_v1_Result_Status_EXITED;
        for (unsigned i = 0; i <= REPORT_STREAMS; i++)
                assert_false(report_cut(out, i, &a, streamed));
        r->stdout_truncated = r->compile.stderr_truncated = true;
        r->stdout_total = 2048;
        assert_true(report_cut(out, 0, &a, streamed));
        assert_string_equal(out, "standard output was cut: 1010 bytes of 2 KiB came; --output SIZE lets more come");
        assert_true(report_cut(out, 3, &a, streamed));
        assert_string_equal(
                out, "the compiler's standard error was cut: 0 bytes of it came; --compile-output SIZE lets more come");
        r->status = hatchery_v1_Result_Status_OUTPUT_LIMIT;
        assert_false(report_cut(out, 0, &a, streamed));
}

static void exit_codes_follow_the_outcome(void **state)
{
        (void)state;
        static const struct {
                hatchery_v1_Result_Status status;
                int exit_code, signal, expected;
        } cases[] = {
                { hatchery_v1_Result_Status_EXITED, 3, 0, 3 },
                { hatchery_v1_Result_Status_SIGNALED, 0, 11, 139 },
                { hatchery_v1_Result_Status_TIME_LIMIT, 0, 9, 124 },
                { hatchery_v1_Result_Status_CPU_LIMIT, 0, 9, 124 },
                { hatchery_v1_Result_Status_MEMORY_LIMIT, 0, 9, 137 },
                { hatchery_v1_Result_Status_OUTPUT_LIMIT, 0, 9, 143 },
                { hatchery_v1_Result_Status_DISK_LIMIT, 4, 0, 4 },
                { hatchery_v1_Result_Status_COMPILE_ERROR, 0, 0, 1 },
                { hatchery_v1_Result_Status_CANCELLED, 0, 9, 130 },
                { hatchery_v1_Result_Status_STATUS_UNSPECIFIED, 0, 0, 125 },
        };
        const struct submission x = { 0 };
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                hatchery_v1_Result r = hatchery_v1_Result_init_zero;
                r.status = cases[i].status;
                r.exit_code = cases[i].exit_code;
                r.signal = cases[i].signal;
                assert_int_equal(report_exit_code(&r), cases[i].expected);
                char sentence[REPORT_SIZE];
                assert_int_equal(report_sentence(sentence, &x, &r), r.status != hatchery_v1_Result_Status_EXITED);
        }
}

static void the_sentence_names_the_limit_that_was_asked(void **state)
{
        (void)state;
        struct submission x = { 0 };
        char sentence[REPORT_SIZE];
        hatchery_v1_Result r = hatchery_v1_Result_init_zero;
        r.status = hatchery_v1_Result_Status_TIME_LIMIT;
        r.wall_us = 2003000;
        assert_true(report_sentence(sentence, &x, &r));
        assert_string_equal(sentence, "killed: wall time limit reached after 2.003 s");
        x.has_limit[LIMIT_WALL] = true;
        x.limit[LIMIT_WALL] = 2000000;
        assert_true(report_sentence(sentence, &x, &r));
        assert_string_equal(sentence, "killed: wall time limit of 2 s reached after 2.003 s");
        x.limit[LIMIT_WALL] = 9000000;
        x.deadline_us = 2000000;
        assert_true(report_sentence(sentence, &x, &r));
        assert_non_null(strstr(sentence, "deadline of 2 s"));
}

static void processes_that_were_refused_are_told(void **state)
{
        (void)state;
        struct submission x = { 0 };
        char sentence[REPORT_SIZE];
        hatchery_v1_Result r = hatchery_v1_Result_init_zero;
        r.status = hatchery_v1_Result_Status_EXITED;
        assert_false(report_denied(sentence, &x, &r));
        r.pids_denied = 1;
        assert_true(report_denied(sentence, &x, &r));
        assert_string_equal(sentence, "the limit on processes and threads was reached: the program was refused 1 more; "
                                      "--pids raises it");
        x.has_limit[LIMIT_PIDS] = x.has_compile_limit[LIMIT_PIDS] = true;
        x.limit[LIMIT_PIDS] = 9;
        x.compile_limit[LIMIT_PIDS] = 7;
        r.pids_denied = 20;
        assert_true(report_denied(sentence, &x, &r));
        assert_string_equal(sentence, "the limit of 9 on processes and threads was reached: the program was refused "
                                      "20 more; --pids raises it");
        r.status = hatchery_v1_Result_Status_COMPILE_ERROR;
        assert_true(report_denied(sentence, &x, &r));
        assert_non_null(strstr(sentence, "the limit of 7 on"));
        assert_non_null(strstr(sentence, "the compiler was refused 20 more; --compile-pids raises it"));
}

/* An output directory with a sibling that no file may reach. */
struct trap {
        char root[32];
        int root_fd;
        int out_fd;
};

static void trap_init(struct trap *t)
{
        char path[48];
        struct err e = { 0 };
        snprintf(t->root, sizeof t->root, "/tmp/test-client-XXXXXX");
        assert_non_null(mkdtemp(t->root));
        t->root_fd = open(t->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_return_code(mkdirat(t->root_fd, "outside", 0755), errno);
        snprintf(path, sizeof path, "%s/out", t->root);
        t->out_fd = outdir_open(path, &e);
        assert_true(t->root_fd >= 0 && t->out_fd >= 0);
}

static void trap_fini(struct trap *t)
{
        assert_return_code(unlinkat(t->root_fd, "outside", AT_REMOVEDIR), errno); /* still empty */
        assert_return_code(unlinkat(t->root_fd, "out", AT_REMOVEDIR), errno);
        assert_return_code(rmdir(t->root), errno);
        close(t->root_fd);
        close(t->out_fd);
}

static int put(const struct trap *t, const char *name)
{
        struct err e = { 0 };
        struct file_span f = { .name = span_of_text(name), .content = span_of_text("content") };
        return outdir_write(t->out_fd, &f, &e);
}

static void names_that_lead_out_are_refused(void **state)
{
        (void)state;
        static const char *const bad[] = { "",     "/", "/etc/x", "..",   "../outside/x", "a/../../outside/x",
                                           "a/..", ".", "a/./b",  "a//b", "a/",           "./x" };
        struct trap t;
        trap_init(&t);
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
                assert_int_equal(put(&t, bad[i]), -EINVAL);
        struct file_span nul = { .name = { (const uint8_t *)"a\0b", 3 } };
        struct file_span raw = { .name = span_of_text("fine"), .raw_name = span_of_text("../outside/\xff") };
        struct err e = { 0 };
        assert_int_equal(outdir_write(t.out_fd, &nul, &e), -EINVAL);
        assert_int_equal(outdir_write(t.out_fd, &raw, &e), -EINVAL);
        trap_fini(&t);
}

static void links_in_the_output_directory_lead_nowhere(void **state)
{
        (void)state;
        struct trap t;
        trap_init(&t);
        assert_return_code(symlinkat("../outside", t.out_fd, "link"), errno);
        assert_return_code(symlinkat("../outside/new", t.out_fd, "file"), errno);
        assert_int_equal(put(&t, "link/x"), -ENOTDIR);
        assert_int_equal(put(&t, "link/deeper/x"), -ENOTDIR);
        assert_int_equal(put(&t, "file"), 0); /* the link itself is replaced */
        struct stat st;
        assert_return_code(fstatat(t.out_fd, "file", &st, AT_SYMLINK_NOFOLLOW), errno);
        assert_true(S_ISREG(st.st_mode));
        assert_int_equal(st.st_size, 7);
        assert_return_code(unlinkat(t.out_fd, "file", 0), errno);
        assert_return_code(unlinkat(t.out_fd, "link", 0), errno);
        trap_fini(&t);
}

static void a_file_with_other_names_is_replaced_and_not_written_into(void **state)
{
        (void)state;
        struct trap t;
        trap_init(&t);
        OWN_FD int fd = openat(t.root_fd, "precious", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        assert_true(fd >= 0);
        assert_return_code(linkat(t.root_fd, "precious", t.out_fd, "x", 0), errno);
        assert_int_equal(put(&t, "x"), 0);
        struct stat st;
        assert_return_code(fstat(fd, &st), errno);
        assert_int_equal(st.st_size, 0);
        assert_return_code(unlinkat(t.root_fd, "precious", 0), errno);
        assert_return_code(unlinkat(t.out_fd, "x", 0), errno);
        trap_fini(&t);
}

static void directories_are_made_for_files_that_need_them(void **state)
{
        (void)state;
        struct trap t;
        trap_init(&t);
        assert_int_equal(put(&t, "a/b/c"), 0);
        assert_int_equal(put(&t, "a/b"), -EISDIR);
        assert_int_equal(put(&t, "a/b/c/d"), -ENOTDIR);
        assert_return_code(unlinkat(t.out_fd, "a/b/c", 0), errno);
        assert_return_code(unlinkat(t.out_fd, "a/b", AT_REMOVEDIR), errno);
        assert_return_code(unlinkat(t.out_fd, "a", AT_REMOVEDIR), errno);
        trap_fini(&t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(base64_matches_the_rfc),
                cmocka_unit_test(times_and_sizes_read_well),
                cmocka_unit_test(control_characters_do_not_reach_the_terminal),
                cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
                cmocka_unit_test(words_after_two_dashes_are_arguments),
                cmocka_unit_test(every_limit_of_the_table_is_an_option),
                cmocka_unit_test(command_lines_without_sense_are_refused),
                cmocka_unit_test(files_get_their_names_and_the_program_its_language),
                cmocka_unit_test(what_did_not_come_is_told),
                cmocka_unit_test(exit_codes_follow_the_outcome),
                cmocka_unit_test(the_sentence_names_the_limit_that_was_asked),
                cmocka_unit_test(processes_that_were_refused_are_told),
                cmocka_unit_test(names_that_lead_out_are_refused),
                cmocka_unit_test(links_in_the_output_directory_lead_nowhere),
                cmocka_unit_test(a_file_with_other_names_is_replaced_and_not_written_into),
                cmocka_unit_test(directories_are_made_for_files_that_need_them),
        };
        return cmocka_run_group_tests_name("client-command", tests, NULL, NULL);
}
