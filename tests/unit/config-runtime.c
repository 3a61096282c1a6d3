/* Languages in the configuration: files of runtimes, languages of a runtime, and absent languages. */
#include "pool/config/config.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char whole[] = "# a comment\n"
                            "runtime 'c++' {\n"
                            "  kind = compiled\n"
                            "  aliases = { cpp, \"g++\" }\n"
                            "  extensions = { cpp, cc, h }\n"
                            "  main_file = main.cpp\n"
                            "  package = 'g++ libc6-dev'\n"
                            "  needs = { /bin/sh, /usr }\n"
                            "  reads = { /usr/include, '/usr/lib/*/libc.*' }\n"
                            "  version = { 'g++', --version }\n"
                            "  compile = { 'g++', -O1, -o, main, \"{sources}\" }\n"
                            "  artifacts = { main, 'lib/*.so' }\n"
                            "  compile_flags = { \"-std={c++17,c++20}\", -g }\n"
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
        assert_list(r.reads, "/usr/include|/usr/lib/*/libc.*");
        assert_list(r.version, "g++|--version");
        assert_list(r.compile, "g++|-O1|-o|main|{sources}");
        assert_list(r.artifacts, "main|lib/*.so");
        assert_list(r.compile_flags, "-std={c++17,c++20}|-g");
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
        assert_int_equal(r.compile_standard[LIMIT_WALL], 5000000); /* a lower ceiling lowers the default */
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

        load_runtime(
                &r,
                "runtime js { kind = prestarted main_file = a.js version = { v } run = { r } warm = { node } echoes = true "
                "fresh = { node, '{interpreter_args}' } prompt = { node, -i } }",
                "js");
        assert_list(r.fresh, "node|{interpreter_args}");
        assert_list(r.prompt, "node|-i");
        text = config_runtime_text(&r);
        load(&c, text);
        assert_true(config_runtime_same(&r, &c.runtimes[0]));
        assert_true(c.runtimes[0].echoes);
        assert_list(c.runtimes[0].fresh, "node|{interpreter_args}");
        assert_list(c.runtimes[0].prompt, "node|-i");
        config_fini(&c);
        config_runtime_fini(&r);
        free(text);
}

/* The supervisor finds the compiler's identity, so only the merged text of the configuration has it. */
static void what_its_compiler_is_goes_along(void **state)
{
        (void)state;
        struct config_runtime r, copy;
        struct err e = { 0 };
        struct config c;
        load_runtime(&r, whole, "c++");
        r.identity = strdup("0123456789abcdef");
        char *text = config_runtime_text(&r);
        load(&c, text);
        assert_string_equal(c.runtimes[0].identity, r.identity);
        assert_true(config_runtime_same(&r, &c.runtimes[0]));
        assert_int_equal(config_runtime_copy(&copy, &r, &e), 0);
        assert_string_equal(copy.identity, r.identity);
        copy.identity[0] = '1';
        assert_false(config_runtime_same(&r, &copy));
        config_runtime_fini(&copy);
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
                { "aliases = { z }", "aliases = { y }", false },
                { "extra_calls = { x }", "", false },
                { "needs = { /x }", "needs = { /y }", false },
                { "reads = { /x }", "reads = { /x, '/y/*' }", false },
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                char text[256];
                struct config_runtime a, b;
                snprintf(text, sizeof text, "runtime x { kind = exec main_file = m version = { v } run = { r } %s }",
                         rows[i].was);
                load_runtime(&a, text, "x");
                snprintf(text, sizeof text, "runtime x { kind = exec main_file = m version = { v } run = { r } %s }",
                         rows[i].is);
                load_runtime(&b, text, "x");
                assert_int_equal(config_runtime_same(&a, &b), rows[i].same);
                config_runtime_fini(&a);
                config_runtime_fini(&b);
        }
}

/* ---------------------------------------------------------------- languages of a runtime */

static const char greet[] =
        "runtime greet { kind = exec main_file = m version = { v } run = { r } limits { wall = 9s } "
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
        assert_int_equal(loud->standard[LIMIT_WALL], 5000000); /* the lower ceiling lowers the default */
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
                { "runtime x { kind = compiled main_file = m version = { v } compile = { c } artifacts = { a } run = { r } }",
                  1 },
                { "runtime x { kind = prestarted main_file = m version = { v } run = { r } warm = { w } }", 1 },
                { "runtime x { kind = exec main_file = m version = { v } run = { r } }", 1024 },
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

/* The comments of the built-in text name the default preloads of these runtimes. The comments must be right. */
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
                        fail_msg("the built-in text does not contain: %s", told);
                config_fini(&c);
        }
}

static void what_is_absent_takes_its_languages_along(void **state)
{
        (void)state;
        struct config c;
        load_with_greet(&c, "language greet { } language loud { runtime = greet required = no } language perl { }\n"
                            "absent greet { aliases = { hail, hello } reason = 'greet is \\'gone\\'' }\n"
                            "absent ada { reason = 'nobody asked' }\n");
        assert_int_equal(c.n_languages, 1);
        assert_string_equal(c.languages[0].name, "perl");
        assert_int_equal(c.n_absent, 3);
        assert_string_equal(c.absent[0].name, "greet");
        assert_string_equal(c.absent[0].aliases, "hail hello");
        assert_string_equal(c.absent[0].reason, "greet is 'gone'");
        assert_true(c.absent[0].configured && c.absent[0].required);
        assert_string_equal(c.absent[1].name, "ada");
        assert_false(c.absent[1].configured || c.absent[1].required);
        assert_string_equal(c.absent[2].name, "loud");
        assert_string_equal(c.absent[2].reason, "greet is 'gone'");
        assert_true(c.absent[2].configured && !c.absent[2].required);
        assert_true(c.languages[0].required);
        assert_int_equal(c.n_refused, 0);

        char *text = config_absent_text(&c.absent[0]);
        struct config again;
        load(&again, text);
        assert_string_equal(again.absent[0].aliases, "hail hello");
        assert_string_equal(again.absent[0].reason, "greet is 'gone'");
        free(text);
        config_fini(&again);
        config_fini(&c);
}

/* A server that was configured to serve a broken language is not ready without that language. */
static void what_is_broken_is_counted_where_it_is_wanted(void **state)
{
        (void)state;
        struct config c;
        const struct config_absent broken = { .name = (char *)(uintptr_t) "greet",
                                              .aliases = (char *)(uintptr_t) "",
                                              .reason = (char *)(uintptr_t) "r",
                                              .broken = true };
        char *text = config_absent_text(&broken), all[512];
        assert_non_null(text);
        snprintf(all, sizeof all, "language perl { } %s", text);
        load_with_greet(&c, all);
        assert_int_equal(c.n_refused, 0);
        config_fini(&c);
        snprintf(all, sizeof all, "language greet { } language loud { runtime = greet } language perl { } %s", text);
        load_with_greet(&c, all);
        assert_int_equal(c.n_refused, 2);
        assert_int_equal(c.n_languages, 1);
        assert_true(c.absent[1].broken);
        config_fini(&c);
        free(text);
}

static void a_main_file_is_read_without_its_runtimes(void **state)
{
        (void)state;
        struct config c;
        struct err e = { 0 };
        const char *text = "language_files = { /a, /b }\nlanguage greet { limits { memory = 1500M } }\n";
        assert_int_equal(config_load_main(&c, text, "main", &e), 0);
        assert_list(c.language_files, "/a|/b");
        assert_int_equal(c.cache_line, 0);
        assert_string_equal(c.languages[0].runtime, "greet");
        config_fini(&c);
        assert_refused(config_load(&c, text, "main", &e), &e, EINVAL, "over its ceiling");
        assert_int_equal(config_load_main(&c, "\n\ncache = /c\n", "main", &e), 0);
        assert_int_equal(c.cache_line, 3);
        config_fini(&c);
        assert_refused(config_load_main(&c, "absent x { }", "main", &e), &e, EINVAL, "no such option 'absent'");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_file_says_all_there_is_to_know),
                cmocka_unit_test(its_text_means_the_same),
                cmocka_unit_test(what_its_compiler_is_goes_along),
                cmocka_unit_test(a_copy_is_whole_and_its_own),
                cmocka_unit_test(every_word_makes_a_difference_and_limits_make_none),
                cmocka_unit_test(a_language_has_what_its_runtime_has_and_its_own),
                cmocka_unit_test(what_is_warm_by_itself_depends_on_the_kind),
                cmocka_unit_test(a_runtime_is_preloaded_by_whatever_name),
                cmocka_unit_test(the_built_in_text_names_what_is_preloaded),
                cmocka_unit_test(what_is_absent_takes_its_languages_along),
                cmocka_unit_test(what_is_broken_is_counted_where_it_is_wanted),
                cmocka_unit_test(a_main_file_is_read_without_its_runtimes),
        };
        return cmocka_run_group_tests_name("config-runtime", tests, NULL, NULL);
}
