/* From words to arguments: lang/words.h. Texts that look like a version: lang/version.h. */
#include "unit.h"

#include "lang/version.h"
#include "lang/words.h"
#include "proto/ipc/job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A list of words; no test writes to it. */
#define WORDS(...) ((char *const *)(const void *)(const char *const[]){ __VA_ARGS__, NULL })

static char *no_args[] = { NULL };
static char spaced[] = "a b", empty[] = "";
static char *two_args[] = { spaced, empty, NULL };

static void assert_line(char **line, char *const *expected)
{
        assert_non_null(line);
        size_t n = 0;
        for (; expected[n]; n++) {
                assert_non_null(line[n]);
                assert_string_equal(line[n], expected[n]);
        }
        assert_null(line[n]);
        words_free(line);
}

static void the_flags_of_the_request_take_their_places(void **state)
{
        (void)state;
        static char standard[] = "-std=c++20", library[] = "-lm", debug[] = "-g";
        char *flags[] = { standard, library, debug, NULL };
        struct job job = { .entry = "a.d/main.x.cc", .args = no_args, .flags = flags };
        assert_line(words_expand(WORDS("g++", "-std=gnu++17", "{flags}", "-o", "{entry:o}", "{entry}", "{libraries}"),
                                 WORDS_COMPILE, &job, NULL),
                    WORDS("g++", "-std=c++20", "-g", "-o", "a.d/main.x.o", "a.d/main.x.cc", "-lm"));
        job = (struct job){ .entry = "a.d/main", .args = no_args, .flags = no_args };
        assert_line(words_expand(WORDS("g++", "-std=gnu++17", "{flags}", "{entry:o}", "{libraries}"), WORDS_COMPILE,
                                 &job, NULL),
                    WORDS("g++", "-std=gnu++17", "a.d/main.o"));
}

static void the_entry_takes_its_place(void **state)
{
        (void)state;
        struct job job = { .entry = "main.sh", .args = no_args };
        assert_line(words_expand(WORDS("bash", "{entry}"), WORDS_RUN, &job, NULL), WORDS("bash", "main.sh"));
        assert_line(words_expand(WORDS("x", "{entry}", "y"), WORDS_COMPILE, &job, NULL), WORDS("x", "main.sh", "y"));
}

static void arguments_come_last_where_the_line_does_not_name_them(void **state)
{
        (void)state;
        struct job job = { .entry = "m", .args = two_args };
        assert_line(words_expand(WORDS("x", "{entry}"), WORDS_RUN, &job, NULL), WORDS("x", "m", "a b", ""));
        assert_line(words_expand(WORDS("x", "{args}", "{entry}"), WORDS_RUN, &job, NULL), WORDS("x", "a b", "", "m"));
}

static void a_compiler_gets_no_arguments_unasked(void **state)
{
        (void)state;
        struct job job = { .entry = "m", .args = two_args };
        assert_line(words_expand(WORDS("x"), WORDS_COMPILE, &job, NULL), WORDS("x"));
        assert_line(words_expand(WORDS("x", "{args}"), WORDS_COMPILE, &job, NULL), WORDS("x", "a b", ""));
}

static void a_word_for_no_buffers_is_there_only_for_them(void **state)
{
        (void)state;
        struct job job = { .entry = "m", .args = no_args };
        assert_line(words_expand(WORDS("x", "{unbuffered}-u", "{entry}"), WORDS_RUN, &job, NULL), WORDS("x", "m"));
        job.header.unbuffered = 1;
        assert_line(words_expand(WORDS("x", "{unbuffered}-u", "{entry}"), WORDS_RUN, &job, NULL),
                    WORDS("x", "-u", "m"));
}

static void words_for_the_interpreter_come_after_its_name_or_in_their_place(void **state)
{
        (void)state;
        static char option[] = "-x", empty_word[] = "", place[] = "{entry}";
        char *more[] = { option, empty_word, place, NULL };
        struct job job = { .entry = "m", .args = two_args, .interpreter_args = more };
        assert_line(words_expand(WORDS("x", "-y", "{entry}"), WORDS_RUN, &job, NULL),
                    WORDS("x", "-x", "", "{entry}", "-y", "m", "a b", ""));
        assert_line(words_expand(WORDS("x", "-y", "{interpreter_args}", "{entry}"), WORDS_RUN, &job, NULL),
                    WORDS("x", "-y", "-x", "", "{entry}", "m", "a b", ""));
        assert_line(words_expand(WORDS("x", "{args}", "{interpreter_args}"), WORDS_RUN, &job, NULL),
                    WORDS("x", "a b", "", "-x", "", "{entry}"));
        assert_line(words_expand(WORDS("cc", "{entry}"), WORDS_COMPILE, &job, NULL), WORDS("cc", "m"));
        job.interpreter_args = no_args;
        assert_line(words_expand(WORDS("x", "-y", "{interpreter_args}", "{entry}"), WORDS_RUN, &job, NULL),
                    WORDS("x", "-y", "m", "a b", ""));
}

static void without_a_program_nothing_is_said_of_one(void **state)
{
        (void)state;
        static char option[] = "-x";
        char *more[] = { option, NULL };
        struct job job = { .entry = "", .args = two_args, .interpreter_args = more };
        char *const *line = WORDS("x", "{program}-f", "{entry}", "{entry-line}", "{entry:js}", "{program}", "-z");
        assert_line(words_expand(line, WORDS_RUN, &job, NULL), WORDS("x", "-x", "-z", "a b", ""));
        job = (struct job){ .entry = "m.ts", .args = no_args };
        assert_line(words_expand(line, WORDS_RUN, &job, NULL), WORDS("x", "-f", "m.ts", "m.ts", "m.js", "-z"));
        job.header.memory_bytes = 8 << 20;
        assert_line(words_expand(WORDS("x", "{program}-X{memory%50}m"), WORDS_RUN, &job, NULL), WORDS("x", "-X4m"));
}

static void a_word_of_a_line_is_replaced(void **state)
{
        (void)state;
        struct job job = { .entry = "m", .args = no_args };
        char **line = words_expand(WORDS("x", "{entry}"), WORDS_RUN, &job, NULL);
        assert_true(words_replace(line, 0, "/other/x"));
        assert_line(line, WORDS("/other/x", "m"));
}

static void what_is_not_exactly_a_placeholder_is_itself(void **state)
{
        (void)state;
        char arg[] = "{entry}";
        char *args[] = { arg, NULL };
        struct job job = { .entry = "m", .args = args };
        assert_line(words_expand(WORDS("x", "{entry}.o", "{}", "{Entry}", "{", "{program", "{interpreter_args}x"),
                                 WORDS_RUN, &job, NULL),
                    WORDS("x", "{entry}.o", "{}", "{Entry}", "{", "{program", "{interpreter_args}x", "{entry}"));
}

static void heaps_are_sized_by_the_limit_of_memory(void **state)
{
        (void)state;
        struct job job = { .header = { .memory_bytes = 513ULL << 20 }, .entry = "m", .args = no_args };
        assert_line(words_expand(WORDS("-Xmx{memory%50}m", "{entry}"), WORDS_RUN, &job, NULL), WORDS("-Xmx256m", "m"));
        assert_line(words_expand_memory(WORDS("x", "{memory%100}", "{entry}"), 513ULL << 20),
                    WORDS("x", "513", "{entry}"));
        assert_line(
                words_expand_memory(WORDS("{memory%0}", "{memory%101}", "{memory%5", "{memory%}", "{memory%-1}"), 1),
                WORDS("{memory%0}", "{memory%101}", "{memory%5", "{memory%}", "{memory%-1}"));
        assert_true(words_name_memory(WORDS("x", "-X{memory%1}")));
        assert_false(words_name_memory(WORDS("x", "{memory}")));
        assert_false(words_name_memory(NULL));
}

static void a_name_is_never_an_option(void **state)
{
        (void)state;
        static const char *const names[][2] = { { "-rf", "./-rf" }, { "@rf", "./@rf" }, { "+rf", "./+rf" } };
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
                struct job job = { .entry = names[i][0], .args = no_args };
                assert_line(words_expand(WORDS("x", "{entry}"), WORDS_RUN, &job, NULL), WORDS("x", names[i][1]));
        }
}

static void make_file(const char *name)
{
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        assert_true(fd >= 0);
        close(fd);
}

static void sources_are_found_by_their_extensions_in_order(void **state)
{
        (void)state;
        char folder[] = "/tmp/hatchery-words-XXXXXX";
        static const char *const files[] = { "main.c", "b.c", "-a.c",   "@b.c",  "note.txt",
                                             "c",      ".c",  "d/x.cc", "d/y.c", "h.h" };
        struct job job = { .entry = "main.c", .args = no_args };

        assert_non_null(mkdtemp(folder));
        assert_int_equal(chdir(folder), 0);
        assert_int_equal(mkdir("d", 0755), 0);
        assert_int_equal(mkdir("dir.c", 0755), 0);
        assert_int_equal(symlink("main.c", "link.c"), 0);
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
                make_file(files[i]);

        assert_line(words_expand(WORDS("cc", "{sources}", "-o"), WORDS_COMPILE, &job, WORDS("c", "cc")),
                    WORDS("cc", "./-a.c", "./@b.c", "b.c", "d/x.cc", "d/y.c", "main.c", "-o"));
        assert_line(words_expand(WORDS("cc", "{sources}"), WORDS_COMPILE, &job, NULL), WORDS("cc"));

        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
                assert_int_equal(unlink(files[i]), 0);
        assert_int_equal(unlink("link.c"), 0);
        assert_int_equal(rmdir("dir.c"), 0);
        assert_int_equal(rmdir("d"), 0);
        assert_int_equal(chdir("/"), 0);
        assert_int_equal(rmdir(folder), 0);
}

static void assert_environment(char *const *base, char *const *overrides, char *const *expected)
{
        char **env = words_environment(base, overrides);
        assert_non_null(env);
        size_t n = 0;
        for (; expected[n]; n++) {
                assert_non_null(env[n]);
                assert_string_equal(env[n], expected[n]);
        }
        assert_null(env[n]);
        free(env);
}

static void the_last_value_of_a_variable_counts(void **state)
{
        (void)state;
        assert_environment(WORDS("A=1", "B=2", "AB=3"), WORDS("A=x", "C=", "A=y=z"),
                           WORDS("B=2", "AB=3", "C=", "A=y=z"));
        assert_environment(WORDS("A=1"), no_args, WORDS("A=1"));
        assert_environment(no_args, WORDS("A=1"), WORDS("A=1"));
}

static void assert_version(const char *text, const char *expected)
{
        char version[32];
        version_find(text, version, sizeof version);
        assert_string_equal(version, expected);
}

static void versions_are_found_in_what_programs_say(void **state)
{
        (void)state;
        assert_version("GNU bash, version 5.2.15(1)-release (x86_64-pc-linux-gnu)\nCopyright (C) 2022\n", "5.2.15");
        assert_version("v20.11.1\n", "20.11.1");
        assert_version("openjdk 17.0.15 2025-04-15\n", "17.0.15");
        assert_version("gcc (Debian 12.2.0-14) 12.2.0\n", "12.2.0");
        assert_version("go version go1.19.8 linux/amd64\n", "1.19.8");
        assert_version("2024 edition, 3.0rc1\n", "3.0rc1");
        assert_version("less 590 (GNU regular expressions)\n", "590");
        assert_version("release candidate\nof something\n", "release candidate");
        assert_version("x.", "x.");
        assert_version("7.\n", "7");
        assert_version("", "");
        assert_version("1.2222222222222222222222222222222222222222", "1.22222222222222222222222222222");
}

static void a_program_is_asked_and_ended(void **state)
{
        (void)state;
        struct err e = { 0 };
        char version[32];
        assert_int_equal(version_ask(WORDS("sh", "-c", "echo x 1.5 >&2; exec sleep 0"), version, sizeof version, &e),
                         0);
        assert_string_equal(version, "1.5");
        assert_refused(version_ask(WORDS("true"), version, sizeof version, &e), &e, EPROTO, "true prints no version");
        assert_refused(version_ask(WORDS("/nonexistent/x"), version, sizeof version, &e), &e, ENOENT, "/nonexistent/x");
        /* more output than the function looks at */
        assert_int_equal(version_ask(WORDS("sh", "-c", "echo 1.6; yes"), version, sizeof version, &e), 0);
        assert_string_equal(version, "1.6");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_flags_of_the_request_take_their_places),
                cmocka_unit_test(the_entry_takes_its_place),
                cmocka_unit_test(arguments_come_last_where_the_line_does_not_name_them),
                cmocka_unit_test(a_compiler_gets_no_arguments_unasked),
                cmocka_unit_test(a_word_for_no_buffers_is_there_only_for_them),
                cmocka_unit_test(words_for_the_interpreter_come_after_its_name_or_in_their_place),
                cmocka_unit_test(without_a_program_nothing_is_said_of_one),
                cmocka_unit_test(a_word_of_a_line_is_replaced),
                cmocka_unit_test(what_is_not_exactly_a_placeholder_is_itself),
                cmocka_unit_test(heaps_are_sized_by_the_limit_of_memory),
                cmocka_unit_test(a_name_is_never_an_option),
                cmocka_unit_test(sources_are_found_by_their_extensions_in_order),
                cmocka_unit_test(the_last_value_of_a_variable_counts),
                cmocka_unit_test(versions_are_found_in_what_programs_say),
                cmocka_unit_test(a_program_is_asked_and_ended),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
