/* Mistakes in a configuration, or in the file of a language: each is refused, with a sentence that names file and
 * line. */
#include "pool/config/config.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define EXEC(more) "runtime x {\nkind = exec\nmain_file = m\nrun = { r } version = { v }\n" more "\n}\n"
#define COMPILED(more)                                                                                                        \
        "runtime x {\nkind = compiled\nmain_file = m\nrun = { r } version = { v }\ncompile = { c }\nartifacts = { a }\n" more \
        "\n}\n"

static void what_is_wrong_in_a_file_is_refused_with_its_line(void **state)
{
        (void)state;
        static const struct {
                const char *text, *words;
        } wrong[] = {
                { "", "test.conf: line 1: there is no section runtime x" },
                { EXEC("") "runtime y {\n}\n", "line 8: there are 2 runtime sections" },
                { "runtime x {\n}\n", "line 2: runtime x has no main_file" },
                { "runtime x {\nmain_file = m\n}\n", "line 3: runtime x has no kind" },
                { "runtime y {\nmain_file = m\n}\n", "line 3: the runtime is called y, and its file is not: x.conf" },
                { "runtime x {\nkind = forked\n}\n", "line 2: kind is exec, prestarted or compiled, not \"forked\"" },
                { "runtime x {\nkind = exec\nmain_file = m\nversion = { v }\n}\n",
                  "line 5: runtime x is exec and has no run" },
                { "runtime x {\nkind = exec\nmain_file = m\nrun = { r }\n}\n",
                  "line 5: runtime x is exec and has no version" },
                { "runtime x {\nkind = exec\nmain_file = m\nrun = { r }\nversion = { }\n}\n",
                  "line 6: runtime x is exec and has no version" },
                { "runtime x {\nkind = prestarted\nmain_file = m\nversion = { v }\nrun = { r }\n}\n",
                  "line 6: runtime x is prestarted and has no warm" },
                { "runtime x {\nkind = compiled\nmain_file = m\nversion = { v }\nrun = { r }\n}\n",
                  "x is compiled and has no compile" },
                { "runtime x {\nkind = compiled\nmain_file = m\nversion = { v }\nrun = { r }\ncompile = { c }\n}\n",
                  "has no artifacts" },
                { "runtime x {\nkind = compiled\nmain_file = m\nversion = { v }\ncompile = { c }\nartifacts = { a }\n}\n",
                  "has no run" },
                { EXEC("compile = { c }"), "line 6: runtime x is exec; no runtime of this kind has compile" },
                { EXEC("artifacts = { c }"), "no runtime of this kind has artifacts" },
                { EXEC("warm = { c }"), "no runtime of this kind has warm" },
                { COMPILED("warm = { c }"), "runtime x is compiled; no runtime of this kind has warm" },
                { EXEC("fresh = { c }"), "line 6: runtime x is exec; no runtime of this kind has fresh" },
                { COMPILED("fresh = { c }"), "line 8: runtime x is compiled; no runtime of this kind has fresh" },
                { COMPILED("prompt = { c }"), "line 8: runtime x is compiled; no runtime of this kind has prompt" },
                { EXEC("prompt = { c, '' }"), "line 5: prompt takes a word that is not empty" },
                { EXEC("echoes = true"), "no runtime of this kind echoes" },
                { EXEC("echoes = perhaps"), "line 5: " },
                { EXEC("compile_limits { wall = 1s }"), "no runtime of this kind has compile_limits" },
                { EXEC("compile_ceilings { wall = 1s }"), "no runtime of this kind has compile_ceilings" },
                { EXEC("needs = { sh }"), "line 5: needs takes an absolute path without .., and \"sh\" is none" },
                { EXEC("needs = { /usr/../etc }"), "line 5: needs takes an absolute path" },
                { EXEC("paths = { /etc/.. }"), "line 5: paths takes an absolute path" },
                { EXEC("paths = { '/a,b' }"), "line 5: paths takes no path with a comma" },
                { EXEC("paths = { /1,/2,/3,/4,/5,/6,/7,/8,/9,/a,/b,/c,/d }"), "line 5: paths has 13 directories" },
                { COMPILED("artifacts = { /abs }"), "line 7: artifacts takes a name below the work directory" },
                { COMPILED("artifacts = { ../up }"), "line 7: artifacts takes" },
                { COMPILED("compile_flags = { x }"), "line 7: compile_flags takes flags that begin with a dash" },
                { COMPILED("compile_flags = { \"-O{1\" }"), "line 7: compile_flags takes flags" },
                { COMPILED("limits { stack = 513M }"), "line 7: stack lies between" },
                { EXEC("compile_flags = { -g }"), "no runtime of this kind has compile_flags" },
                { EXEC("run = { sh, '' }"), "line 5: run takes a word that is not empty" },
                { EXEC("version = { '' }"), "line 5: version takes a word that is not empty" },
                { EXEC("links = { '/a' }"),
                  "line 5: links takes /NAME=TARGET, with an absolute path without .. as the" },
                { EXEC("links = { '/a/b=/c' }"), "line 5: links takes /NAME=TARGET" },
                { EXEC("links = { 'a=/c' }"), "line 5: links takes /NAME=TARGET" },
                { EXEC("links = { '/=/c' }"), "line 5: links takes /NAME=TARGET" },
                { EXEC("links = { '/..=/c' }"), "line 5: links takes /NAME=TARGET" },
                { EXEC("links = { '/a=c' }"), "line 5: links takes /NAME=TARGET" },
                { EXEC("links = { '/a=/c/../d' }"), "line 5: links takes /NAME=TARGET" },
                { EXEC("env = { NAME }"), "line 5: env takes NAME=VALUE, and \"NAME\" is none" },
                { EXEC("env = { '1=2' }"), "env takes NAME=VALUE" },
                { EXEC("env = { '=2' }"), "env takes NAME=VALUE" },
                { EXEC("extra_calls = { 'a b' }"), "line 5: extra_calls takes the name of a system call" },
                { EXEC("extensions = { '.sh' }"), "line 5: extensions takes what follows the dot" },
                { EXEC("aliases = { UPPER }"), "line 5: aliases takes a name" },
                { EXEC("aliases = { a234567890123456789012345678901, b234567890123456789012345678901,\n"
                       "c234567890123456789012345678901, d }"),
                  "line 6: aliases are 97 bytes together; there is room for 95" },
                { EXEC("main_file = 'a/b'"), "line 5: main_file takes the name of a file" },
                { EXEC("main_file = '..'"), "line 5: main_file takes" },
                { EXEC("main_file = ''"), "line 5: main_file takes" },
                { EXEC("main_file = 'a2345678901234567890123456789012'"),
                  "line 5: main_file takes the name of a file" },
                { EXEC("package = 'a; rm'"), "line 5: package takes names of Debian packages" },
                { EXEC("extensions = { a, b }"),
                  "line 6: runtime x: main_file is m, which ends in none of its extensions" },
                { EXEC("main_file = m.c extensions = { a, b }"), "main_file is m.c, which ends in none" },
                { EXEC("main_file = '.a' extensions = { a }"), "main_file is .a, which ends in none" },
                { COMPILED("compile = { c, '{sources}' }"), "line 8: runtime x names {sources}, which are the files" },
                { EXEC("aliases = { a, b, a }"), "line 6: runtime x is called a twice" },
                { EXEC("aliases = { x }"), "line 6: runtime x is called x twice" },
                { EXEC("reads = { usr }"), "line 5: reads takes an absolute path" },
                { EXEC("identity = x"), "line 5: no such option 'identity'" },
                { EXEC("prepare = { 1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,"
                       "2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5 }"),
                  "line 5: prepare has 65 words; there is room for 64" },
                { EXEC("nonsense = 1"), "line 5: no such option 'nonsense'" },
                { EXEC("limits {\nwall = forever\n}"), "line 6: wall is a time" },
                { EXEC("limits {\nwall = 2m\n}"), "line 7: runtime x: limits: wall is 120 s, over its ceiling" },
                { COMPILED("compile_limits {\nmemory = 2G\n}"), "line 9: runtime x: compile_limits: memory is" },
                { EXEC("limits { bogus = 1 }"), "bogus" },
                { "runtime x {\nkind = exec\n", "} is missing" },
                { "max_queue = 7\n" EXEC(""), "line 1: no such option 'max_queue'" },
                { "language x { }\n" EXEC(""), "line 1: no such option 'language'" },
                { "absent x { }\n" EXEC(""), "line 1: no such option 'absent'" },
                { "identity x { }\n" EXEC(""), "line 1: no such option 'identity'" },
        };
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
                struct config_runtime r;
                struct err e = { 0 };
                int n = config_load_runtime(&r, wrong[i].text, "test.conf", "x", &e);
                if (n >= 0)
                        fail_msg("accepted: %s", wrong[i].text);
                if (!strstr(e.text, wrong[i].words))
                        fail_msg("\"%s\" does not contain \"%s\"", e.text, wrong[i].words);
                assert_int_equal(n, -EINVAL);
                assert_ptr_equal(strstr(e.text, "test.conf: line "), e.text);
        }
}

static void what_is_wrong_in_a_main_file_is_refused_with_its_line(void **state)
{
        (void)state;
        static const struct {
                const char *text, *words;
        } wrong[] = {
                { "\nlanguage_files = { here }\n", "line 2: language_files takes an absolute path" },
                { "packages = here\n", "line 1: packages takes an absolute path" },
                { "cache = ''\n", "line 1: cache takes an absolute path" },
                { "cache_size = 5\n", "line 1: cache_size lies between" },
                { "language x {\nruntime = 'a b'\n}\n", "line 2: runtime takes a name" },
                { "language x {\npackages = ../p\n}\n", "line 2: packages takes an absolute path" },
                { "language '' { }\n", "line 1: a language's name" },
                { "runtime 'A' { }\n", "line 1: a runtime's name" },
                { "runtime x { }\nruntime x { }\n", "line 2: " },
                { "runtime x { kind = exec main_file = m version = { v } run = { r } }\nlanguage x { preload = { a } }\n",
                  "line 2: language x: its runtime is exec; runtimes of this kind can't preload modules" },
                { "language x {\ncompile_limits {\nwall = 2m\n}\n}\n", "line 4: language x: compile_limits: wall is" },
                { "runtime x {\nkind = exec\nmain_file = m\n}\n", "line 4: runtime x is exec and has no version" },
                { "cache = '/a,b'\n", "line 1: cache takes an absolute path without .., comma" },
                { "packages = '/a:b'\n", "line 1: packages takes an absolute path without .., comma" },
        };
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
                struct config c;
                struct err e = { 0 };
                if (config_load(&c, wrong[i].text, "main.conf", &e) >= 0)
                        fail_msg("accepted: %s", wrong[i].text);
                if (!strstr(e.text, wrong[i].words))
                        fail_msg("\"%s\" does not contain \"%s\"", e.text, wrong[i].words);
                assert_ptr_equal(strstr(e.text, "main.conf: line "), e.text);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_wrong_in_a_file_is_refused_with_its_line),
                cmocka_unit_test(what_is_wrong_in_a_main_file_is_refused_with_its_line),
        };
        return cmocka_run_group_tests_name("config-refusal", tests, NULL, NULL);
}
