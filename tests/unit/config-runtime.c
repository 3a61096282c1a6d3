/* Languages in the configuration: files of runtimes, languages of a runtime, and what is absent. */
#include "pool/config.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char whole[] = "# a comment\n"
                            "runtime 'c++' {\n"
                            "  kind = compiled\n"
                            "  aliases = { cpp, \"g++\" }\n"
                            "  extensions = { cpp, cc, h }\n"
                            "  main_file = main.cpp\n"
                            "  package = 'g++ libc6-dev'\n"
                            "  needs = { /bin/sh, /usr }\n"
                            "  version = { 'g++', --version }\n"
                            "  compile = { 'g++', -O1, -o, main, \"{sources}\" }\n"
                            "  artifacts = { main, 'lib/*.so' }\n"
                            "  run = { ./main, \"{args}\" }\n"
                            "  prepare = { sh, -c, 'echo \"it\\'s\" \\\\ > {prepared}/x' }\n"
                            "  paths = { /etc/alternatives }\n"
                            "  links = { '/node_modules=/hatchery/packages/lib', '/a=/b' }\n"
                            "  env = { \"A=b c\", 'QUOTES=\"\\'${HOME}\\\\' }\n"
                            "  extra_calls = { personality }\n"
                            "  limits { wall = 3s pids = 7 }\n"
                            "  ceilings { wall = 4s }\n"
                            "  compile_limits { memory = 512M }\n"
                            "  compile_ceilings { memory = 2G wall = 5s }\n"
                            "}\n";

static void load_runtime(struct config_runtime *r, const char *text, const char *stem)
{
        struct err e = { 0 };
        if (config_load_runtime(r, text, "test.conf", stem, &e) < 0)
                fail_msg("%s", e.text);
}

static void load(struct config *c, const char *text)
{
        struct err e = { 0 };
        if (config_load(c, text, "test", &e) < 0)
                fail_msg("%s", e.text);
}

static void assert_list(char *const *list, const char *words)
{
        char text[256] = "";
        size_t n = 0;
        for (; list && *list; list++)
                n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? "|" : "", *list);
        assert_string_equal(text, words);
}

static void a_file_says_all_there_is_to_know(void **state)
{
        (void)state;
        struct config_runtime r;
        load_runtime(&r, whole, "c++");
        assert_string_equal(r.name, "c++");
        assert_int_equal(r.kind, KIND_COMPILED);
        assert_string_equal(r.aliases, "cpp g++");
        assert_string_equal(r.main_file, "main.cpp");
        assert_string_equal(r.package, "g++ libc6-dev");
        assert_list(r.extensions, "cpp|cc|h");
        assert_list(r.needs, "/bin/sh|/usr");
        assert_list(r.version, "g++|--version");
        assert_list(r.compile, "g++|-O1|-o|main|{sources}");
        assert_list(r.artifacts, "main|lib/*.so");
        assert_list(r.run, "./main|{args}");
        assert_null(r.warm);
        assert_list(r.prepare, "sh|-c|echo \"it's\" \\ > {prepared}/x");
        assert_list(r.paths, "/etc/alternatives");
        assert_list(r.links, "/node_modules=/hatchery/packages/lib|/a=/b");
        assert_list(r.env, "A=b c|QUOTES=\"'${HOME}\\");
        assert_list(r.extra_calls, "personality");
        assert_false(r.echoes);
        assert_int_equal(r.standard[LIMIT_WALL], 3000000);
        assert_int_equal(r.ceiling[LIMIT_WALL], 4000000);
        assert_int_equal(r.standard[LIMIT_CPU], limit_table[LIMIT_CPU].standard);
        assert_int_equal(r.standard[LIMIT_PIDS], 7);
        assert_int_equal(r.compile_standard[LIMIT_MEMORY], 512 << 20);
        assert_int_equal(r.compile_ceiling[LIMIT_MEMORY], (int64_t)2 << 30);
        assert_int_equal(r.compile_standard[LIMIT_WALL], 5000000); /* it follows a lower ceiling */
        assert_int_equal(r.compile_standard[LIMIT_PIDS], limit_table[LIMIT_PIDS].standard);
        config_runtime_fini(&r);
}

static void assert_same_limits(const struct config_runtime *a, const struct config_runtime *b)
{
        assert_memory_equal(a->standard, b->standard, sizeof a->standard);
        assert_memory_equal(a->ceiling, b->ceiling, sizeof a->ceiling);
        assert_memory_equal(a->compile_standard, b->compile_standard, sizeof a->compile_standard);
        assert_memory_equal(a->compile_ceiling, b->compile_ceiling, sizeof a->compile_ceiling);
        assert_string_equal(a->package, b->package);
}

static void its_text_means_the_same(void **state)
{
        (void)state;
        struct config_runtime r;
        struct config c;
        load_runtime(&r, whole, "c++");
        char *text = config_runtime_text(&r);
        assert_non_null(text);
        load(&c, text);
        assert_int_equal(c.n_runtimes, 1);
        assert_true(config_runtime_same(&r, &c.runtimes[0]));
        assert_same_limits(&r, &c.runtimes[0]);
        assert_list(c.runtimes[0].env, "A=b c|QUOTES=\"'${HOME}\\");
        config_fini(&c);
        config_runtime_fini(&r);
        free(text);

        load_runtime(&r, "runtime js { kind = prestarted main_file = a.js warm = { node } echoes = true }", "js");
        text = config_runtime_text(&r);
        load(&c, text);
        assert_true(config_runtime_same(&r, &c.runtimes[0]));
        assert_true(c.runtimes[0].echoes);
        config_fini(&c);
        config_runtime_fini(&r);
        free(text);
}

static void a_copy_is_whole_and_its_own(void **state)
{
        (void)state;
        struct config_runtime r, copy;
        struct err e = { 0 };
        load_runtime(&r, whole, "c++");
        assert_int_equal(config_runtime_copy(&copy, &r, &e), 0);
        assert_true(config_runtime_same(&r, &copy));
        assert_same_limits(&r, &copy);
        assert_ptr_not_equal(r.run, copy.run);
        config_runtime_fini(&r);
        assert_list(copy.run, "./main|{args}");
        config_runtime_fini(&copy);
}

static void every_word_makes_a_difference_and_limits_make_none(void **state)
{
        (void)state;
        static const struct {
                const char *was, *is;
                bool same;
        } rows[] = {
                { "", "", true },
                { "", "limits { wall = 1s }", true },
                { "package = a", "package = b", true },
                { "env = { 'A=1' }", "env = { 'A=2' }", false },
                { "env = { 'A=1' }", "env = { 'A=1', 'B=1' }", false },
                { "", "paths = { /etc/x }", false },
                { "links = { '/a=/b' }", "links = { '/a=/c' }", false },
                { "aliases = { x }", "aliases = { y }", false },
                { "extra_calls = { x }", "", false },
                { "needs = { /x }", "needs = { /y }", false },
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                char text[256];
                struct config_runtime a, b;
                snprintf(text, sizeof text, "runtime x { kind = exec main_file = m run = { r } %s }", rows[i].was);
                load_runtime(&a, text, "x");
                snprintf(text, sizeof text, "runtime x { kind = exec main_file = m run = { r } %s }", rows[i].is);
                load_runtime(&b, text, "x");
                assert_int_equal(config_runtime_same(&a, &b), rows[i].same);
                config_runtime_fini(&a);
                config_runtime_fini(&b);
        }
}

#define EXEC(more) "runtime x {\nkind = exec\nmain_file = m\nrun = { r }\n" more "\n}\n"
#define COMPILED(more)                                                                                                 \
        "runtime x {\nkind = compiled\nmain_file = m\nrun = { r }\ncompile = { c }\nartifacts = { a }\n" more "\n}\n"

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
                { "runtime x {\nkind = exec\nmain_file = m\n}\n", "line 4: runtime x is exec and has no run" },
                { "runtime x {\nkind = prestarted\nmain_file = m\n}\n",
                  "line 4: runtime x is prestarted and has no warm" },
                { "runtime x {\nkind = compiled\nmain_file = m\nrun = { r }\n}\n", "x is compiled and has no compile" },
                { "runtime x {\nkind = compiled\nmain_file = m\nrun = { r }\ncompile = { c }\n}\n",
                  "has no artifacts" },
                { "runtime x {\nkind = compiled\nmain_file = m\ncompile = { c }\nartifacts = { a }\n}\n",
                  "has no run" },
                { EXEC("compile = { c }"), "line 6: runtime x is exec, of which kind none has compile" },
                { EXEC("artifacts = { c }"), "of which kind none has artifacts" },
                { EXEC("warm = { c }"), "of which kind none has warm" },
                { COMPILED("warm = { c }"), "runtime x is compiled, of which kind none has warm" },
                { EXEC("echoes = true"), "of which kind none echoes" },
                { EXEC("echoes = perhaps"), "line 5: " },
                { EXEC("compile_limits { wall = 1s }"), "of which kind none has compile_limits" },
                { EXEC("compile_ceilings { wall = 1s }"), "of which kind none has compile_ceilings" },
                { EXEC("needs = { sh }"), "line 5: needs takes an absolute path without .., and \"sh\" is none" },
                { EXEC("needs = { /usr/../etc }"), "line 5: needs takes an absolute path" },
                { EXEC("paths = { /etc/.. }"), "line 5: paths takes an absolute path" },
                { EXEC("paths = { '/a,b' }"), "line 5: paths takes no path with a comma" },
                { EXEC("paths = { /1,/2,/3,/4,/5,/6,/7,/8,/9,/a,/b,/c,/d }"), "line 5: paths has 13 directories" },
                { COMPILED("artifacts = { /abs }"), "line 7: artifacts takes a name below the work directory" },
                { COMPILED("artifacts = { ../up }"), "line 7: artifacts takes" },
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
                { EXEC("nonsense = 1"), "line 5: no such option 'nonsense'" },
                { EXEC("limits {\nwall = forever\n}"), "line 6: wall is a time" },
                { EXEC("limits {\nwall = 2m\n}"), "line 7: runtime x: limits: wall is 120000000, over its ceiling" },
                { COMPILED("compile_limits {\nmemory = 2G\n}"), "line 9: runtime x: compile_limits: memory is" },
                { EXEC("limits { bogus = 1 }"), "bogus" },
                { "runtime x {\nkind = exec\n", "} is missing" },
                { "max_queue = 7\n" EXEC(""), "line 1: no such option 'max_queue'" },
                { "language x { }\n" EXEC(""), "line 1: no such option 'language'" },
                { "absent x { }\n" EXEC(""), "line 1: no such option 'absent'" },
        };
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
                struct config_runtime r;
                struct err e = { 0 };
                int n = config_load_runtime(&r, wrong[i].text, "test.conf", "x", &e);
                if (n >= 0)
                        fail_msg("accepted: %s", wrong[i].text);
                if (!strstr(e.text, wrong[i].words))
                        fail_msg("\"%s\" does not hold \"%s\"", e.text, wrong[i].words);
                assert_int_equal(n, -EINVAL);
                assert_ptr_equal(strstr(e.text, "test.conf: line "), e.text);
        }
}

/* ---------------------------------------------------------------- languages of a runtime */

static const char greet[] = "runtime greet { kind = exec main_file = m run = { r } limits { wall = 9s } "
                            "ceilings { wall = 10s memory = 2G } }\n";

static void load_with_greet(struct config *c, const char *text)
{
        char all[2048];
        snprintf(all, sizeof all, "%s%s", greet, text);
        load(c, all);
}

static void a_language_has_what_its_runtime_has_and_its_own(void **state)
{
        (void)state;
        struct config c;
        load_with_greet(&c, "packages = /p\nlanguage greet { }\n"
                            "language loud { runtime = greet packages = /srv/loud warm = 3\n"
                            "limits { memory = 1536M } ceilings { wall = 5s } }\nlanguage perl { }\n");
        assert_int_equal(c.n_languages, 3);
        const struct config_language *plain = &c.languages[0], *loud = &c.languages[1], *perl = &c.languages[2];
        assert_ptr_equal(plain->data, &c.runtimes[0]);
        assert_ptr_equal(loud->data, &c.runtimes[0]);
        assert_null(perl->data);
        assert_string_equal(loud->runtime, "greet");
        assert_string_equal(perl->runtime, "perl");
        assert_string_equal(plain->packages, "/p/greet");
        assert_string_equal(loud->packages, "/srv/loud");
        assert_string_equal(perl->packages, "/p/perl");
        assert_int_equal(plain->standard[LIMIT_WALL], 9000000);
        assert_int_equal(plain->ceiling[LIMIT_MEMORY], (int64_t)2 << 30);
        assert_int_equal(loud->standard[LIMIT_WALL], 5000000); /* it follows the lower ceiling */
        assert_int_equal(loud->standard[LIMIT_MEMORY], (int64_t)1536 << 20);
        assert_int_equal(perl->standard[LIMIT_WALL], limit_table[LIMIT_WALL].standard);
        assert_int_equal(plain->n_preload, 0);
        assert_int_equal(perl->n_preload, 4);
        assert_ptr_equal(config_find_language(&c, "loud"), loud);
        assert_null(config_find_language(&c, "quiet"));
        assert_ptr_equal(config_find_runtime(&c, "greet"), &c.runtimes[0]);
        config_fini(&c);
}

static void what_is_warm_by_itself_depends_on_the_kind(void **state)
{
        (void)state;
        static const struct {
                const char *runtime;
                unsigned most;
        } rows[] = {
                { "runtime x { kind = compiled main_file = m compile = { c } artifacts = { a } run = { r } }", 1 },
                { "runtime x { kind = prestarted main_file = m warm = { w } }", 1 },
                { "runtime x { kind = exec main_file = m run = { r } }", 1024 },
                { "", 1024 },
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                char text[256];
                struct config c;
                snprintf(text, sizeof text, "%s language x { }", rows[i].runtime);
                load(&c, text);
                if (rows[i].most == 1)
                        assert_int_equal(c.languages[0].warm_min, 1);
                else
                        assert_true(c.languages[0].warm_min >= 4);
                config_fini(&c);
        }
}

static void a_runtime_is_preloaded_by_whatever_name(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                size_t n;
                const char *first;
        } rows[] = {
                { "language python { }", 16, "json" },
                { "language snake { runtime = python }", 16, "json" },
                { "language python { preload = {} }", 0, NULL },
                { "language python { preload = { numpy } }", 1, "numpy" },
                { "language python { preload = numpy }", 1, "numpy" },
                { "language python { preload += { numpy } }", 17, "json" },
                { "language perl { preload += numpy }", 5, "POSIX" },
                { "language perl { preload += { a, b } preload += { c } }", 7, "POSIX" },
                { "language perl { preload = { '', a, '' } }", 5, "POSIX" },
                { "language perl { }", 4, "POSIX" },
                { "language perl { preload = { Storable } }", 1, "Storable" },
                { "language gem { runtime = ruby }", 3, "json" },
                { "language lua { }", 0, NULL },
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct config c;
                load(&c, rows[i].text);
                const struct config_language *l = &c.languages[0];
                if (l->n_preload != rows[i].n || (l->n_preload && strcmp(l->preload[0], rows[i].first) != 0))
                        fail_msg("%s: %zu, %s", rows[i].text, l->n_preload, l->n_preload ? l->preload[0] : "");
                config_fini(&c);
        }
}

/* What the built-in text tells of the lists that are not shown is what they are. */
static void the_built_in_text_names_what_is_preloaded(void **state)
{
        (void)state;
        static const char *const runtimes[] = { "perl", "ruby" };
        for (size_t i = 0; i < sizeof runtimes / sizeof runtimes[0]; i++) {
                char text[64], told[256];
                struct config c;
                snprintf(text, sizeof text, "language %s { }", runtimes[i]);
                load(&c, text);
                size_t n = (size_t)snprintf(told, sizeof told, "of %s {", runtimes[i]);
                for (size_t k = 0; k < c.languages[0].n_preload; k++)
                        n += (size_t)snprintf(told + n, sizeof told - n, "%s %s", k ? "," : "",
                                              c.languages[0].preload[k]);
                snprintf(told + n, sizeof told - n, " }");
                if (!strstr(config_builtin, told))
                        fail_msg("the text does not hold: %s", told);
                config_fini(&c);
        }
}

static void what_is_absent_takes_its_languages_along(void **state)
{
        (void)state;
        struct config c;
        load_with_greet(&c, "language greet { } language loud { runtime = greet } language perl { }\n"
                            "absent greet { aliases = { hail, hello } reason = 'greet is \\'gone\\'' }\n");
        assert_int_equal(c.n_languages, 1);
        assert_string_equal(c.languages[0].name, "perl");
        assert_int_equal(c.n_absent, 2);
        assert_string_equal(c.absent[0].name, "greet");
        assert_string_equal(c.absent[0].aliases, "hail hello");
        assert_string_equal(c.absent[0].reason, "greet is 'gone'");
        assert_string_equal(c.absent[1].name, "loud");
        assert_string_equal(c.absent[1].reason, "greet is 'gone'");

        char *text = config_absent_text(&c.absent[0]);
        struct config again;
        load(&again, text);
        assert_string_equal(again.absent[0].aliases, "hail hello");
        assert_string_equal(again.absent[0].reason, "greet is 'gone'");
        free(text);
        config_fini(&again);
        config_fini(&c);
}

static void a_main_file_is_read_without_its_runtimes(void **state)
{
        (void)state;
        struct config c;
        struct err e = { 0 };
        const char *text = "language_files = { /a, /b }\nlanguage greet { limits { memory = 1500M } }\n";
        assert_int_equal(config_load_main(&c, text, "main", &e), 0);
        assert_list(c.language_files, "/a|/b");
        assert_string_equal(c.languages[0].runtime, "greet");
        config_fini(&c);
        assert_refused(config_load(&c, text, "main", &e), &e, EINVAL, "over its ceiling");
        assert_refused(config_load_main(&c, "absent x { }", "main", &e), &e, EINVAL, "no such option 'absent'");
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
                { "runtime x { kind = exec main_file = m run = { r } }\nlanguage x { preload = { a } }\n",
                  "line 2: language x: its runtime is exec, of which kind none has preload" },
                { "language x {\ncompile_limits {\nwall = 2m\n}\n}\n", "line 4: language x: compile_limits: wall is" },
                { "runtime x {\nkind = exec\nmain_file = m\n}\n", "line 4: runtime x is exec and has no run" },
        };
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
                struct config c;
                struct err e = { 0 };
                if (config_load(&c, wrong[i].text, "main.conf", &e) >= 0)
                        fail_msg("accepted: %s", wrong[i].text);
                if (!strstr(e.text, wrong[i].words))
                        fail_msg("\"%s\" does not hold \"%s\"", e.text, wrong[i].words);
                assert_ptr_equal(strstr(e.text, "main.conf: line "), e.text);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_file_says_all_there_is_to_know),
                cmocka_unit_test(its_text_means_the_same),
                cmocka_unit_test(a_copy_is_whole_and_its_own),
                cmocka_unit_test(every_word_makes_a_difference_and_limits_make_none),
                cmocka_unit_test(what_is_wrong_in_a_file_is_refused_with_its_line),
                cmocka_unit_test(a_language_has_what_its_runtime_has_and_its_own),
                cmocka_unit_test(what_is_warm_by_itself_depends_on_the_kind),
                cmocka_unit_test(a_runtime_is_preloaded_by_whatever_name),
                cmocka_unit_test(the_built_in_text_names_what_is_preloaded),
                cmocka_unit_test(what_is_absent_takes_its_languages_along),
                cmocka_unit_test(a_main_file_is_read_without_its_runtimes),
                cmocka_unit_test(what_is_wrong_in_a_main_file_is_refused_with_its_line),
        };
        return cmocka_run_group_tests_name("config-runtime", tests, NULL, NULL);
}
