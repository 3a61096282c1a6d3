/* Reading the configuration. */
#include "pool/config/config.h"

#include "proto/wire/wire.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void load(struct config *c, const char *text)
{
        struct err e = { 0 };
        if (config_load(c, text, "test", &e) < 0)
                fail_msg("%s", e.text);
}

static void assert_same_language(const struct config_language *a, const struct config_language *b)
{
        assert_string_equal(a->name, b->name);
        assert_string_equal(a->runtime, b->runtime);
        assert_string_equal(a->packages, b->packages);
        assert_ptr_equal(a->data, b->data);
        assert_int_equal(a->warm_min, b->warm_min);
        assert_int_equal(a->warm_max, b->warm_max);
        assert_int_equal(a->running, b->running);
        assert_int_equal(a->required, b->required);
        assert_memory_equal(a->standard, b->standard, sizeof a->standard);
        assert_memory_equal(a->ceiling, b->ceiling, sizeof a->ceiling);
        assert_memory_equal(a->compile_standard, b->compile_standard, sizeof a->compile_standard);
        assert_memory_equal(a->compile_ceiling, b->compile_ceiling, sizeof a->compile_ceiling);
        assert_int_equal(a->generation_forks, b->generation_forks);
        assert_int_equal(a->generation_us, b->generation_us);
        assert_int_equal(a->n_preload, b->n_preload);
        for (size_t i = 0; i < a->n_preload; i++)
                assert_string_equal(a->preload[i], b->preload[i]);
}

static void the_built_in_text_says_what_an_empty_one_means(void **state)
{
        (void)state;
        struct config a, b;
        load(&a, config_builtin);
        load(&b, "");

        assert_int_equal(a.n_listen, 1);
        assert_int_equal(b.n_listen, 1);
        assert_string_equal(a.listen[0], b.listen[0]);
        assert_int_equal(a.log_level, b.log_level);
        assert_int_equal(a.max_request_bytes, b.max_request_bytes);
        assert_int_equal(a.max_answer_bytes, b.max_answer_bytes);
        assert_int_equal(a.max_connections, b.max_connections);
        assert_int_equal(a.max_in_flight, b.max_in_flight);
        assert_int_equal(a.caller_in_flight, b.caller_in_flight);
        assert_int_equal(a.max_queue, b.max_queue);
        assert_int_equal(a.max_queue_bytes, b.max_queue_bytes);
        assert_int_equal(a.max_memory, b.max_memory);
        assert_int_equal(a.warm_memory, b.warm_memory);
        assert_int_equal(a.warm_half_life_us, b.warm_half_life_us);
        assert_int_equal(a.client_share, b.client_share);
        assert_int_equal(a.client_running, b.client_running);
        assert_int_equal(a.frame_timeout_us, b.frame_timeout_us);
        assert_int_equal(a.write_timeout_us, b.write_timeout_us);
        assert_int_equal(a.max_unsent_bytes, b.max_unsent_bytes);
        assert_int_equal(a.drain_us, b.drain_us);
        assert_int_equal(a.drain_notice_us, b.drain_notice_us);
        assert_int_equal(a.gateway_workers, b.gateway_workers);
        assert_int_equal(a.gateway_memory, b.gateway_memory);
        assert_int_equal(a.n_http, b.n_http);
        assert_int_equal(a.collect_max_files, b.collect_max_files);
        assert_int_equal(a.collect_max_bytes, b.collect_max_bytes);
        assert_int_equal(a.collect_us, b.collect_us);
        assert_int_equal(a.uid_base, b.uid_base);
        assert_int_equal(a.inodes, b.inodes);
        assert_int_equal(a.disk_read, b.disk_read);
        assert_null(a.language_files);
        assert_null(b.language_files);
        assert_string_equal(a.packages, b.packages);
        assert_string_equal(a.cache, b.cache);
        assert_int_equal(a.cache_bytes, b.cache_bytes);
        assert_int_equal(a.n_languages, 0);
        assert_int_equal(b.n_languages, 0);
        config_fini(&a);
        config_fini(&b);
}

/* Loads the commented-out language of the built-in text: its lines without their first character. */
static void load_shown_language(struct config *c)
{
        char text[16384];
        size_t n = 0;
        const char *at = strstr(config_builtin, "#language python {\n");

        assert_non_null(at);
        while (*at == '#') {
                size_t len = strcspn(at, "\n") + 1;
                assert_true(n + len < sizeof text);
                memcpy(text + n, at + 1, len - 1);
                n += len - 1;
                at += len;
        }
        text[n] = '\0';
        load(c, text);
        assert_int_equal(c->n_languages, 1);
}

static void the_language_that_is_shown_is_what_an_empty_section_means(void **state)
{
        (void)state;
        struct config a, b;
        load_shown_language(&a);
        load(&b, "language python { }");
        assert_same_language(&a.languages[0], &b.languages[0]);
        config_fini(&a);
        config_fini(&b);
}

static void the_built_in_text_states_every_limit_of_the_table(void **state)
{
        (void)state;
        struct config c;
        load_shown_language(&c);
        for (size_t i = 0; i < LIMIT_COUNT; i++) {
                assert_int_equal(c.languages[0].standard[i], limit_table[i].standard);
                assert_int_equal(c.languages[0].ceiling[i], limit_table[i].ceiling);
                assert_non_null(strstr(config_builtin, limit_table[i].option));
        }
        assert_int_equal(c.max_request_bytes, WIRE_MAX_REQUEST); /* not in the text, so it has its default */
        assert_int_equal(c.max_answer_bytes, WIRE_MAX_ANSWER);
        assert_true(c.languages[0].warm_min >= 4);
        assert_int_equal(c.languages[0].warm_max, c.languages[0].running);
        assert_true(c.languages[0].n_preload >= 10);
        config_fini(&c);
}

static void values_have_units(void **state)
{
        (void)state;
        struct config c;
        load(&c,
             "frame_timeout = 200ms\nwrite_timeout = \"2m\"\nmax_request_bytes = 3M\n# a comment\nlog_level = debug\n"
             "listen = { \"[::1]:80\", unix:/run/x }\n"
             "language lua { warm = 3 running = 7 limits { wall = 1s memory = 64M } ceilings { wall = 2s cpu = 1s } }\n");
        assert_int_equal(c.frame_timeout_us, 200000);
        assert_int_equal(c.write_timeout_us, 120000000);
        assert_int_equal(c.max_request_bytes, 3 << 20);
        assert_int_equal(c.log_level, LOG_LEVEL_DEBUG);
        assert_int_equal(c.n_listen, 2);
        assert_string_equal(c.listen[1], "unix:/run/x");
        const struct config_language *l = &c.languages[0];
        assert_string_equal(l->name, "lua");
        assert_int_equal(l->warm_min, 3);
        assert_int_equal(l->warm_max, 3);
        assert_int_equal(l->running, 7);
        assert_int_equal(l->n_preload, 0);
        assert_int_equal(l->standard[LIMIT_WALL], 1000000);
        assert_int_equal(l->standard[LIMIT_MEMORY], 64 << 20);
        assert_int_equal(l->ceiling[LIMIT_WALL], 2000000);
        config_fini(&c);
}

static void warm_bounds_follow_what_is_given(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                unsigned min, max;
        } right[] = {
                { "warm = 7 running = 2", 7, 7 },         { "warm = 0 warm_min = 2 warm_max = 9", 2, 9 },
                { "warm_min = 0 running = 5", 0, 5 },     { "warm_min = 0 warm_max = 0", 0, 0 },
                { "warm_min = 40 running = 20", 40, 40 }, { "warm_max = 2", 2, 2 },
                { "warm_min = 3 running = 1000", 3, 24 },
        };
        for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
                char text[128];
                struct config c;
                snprintf(text, sizeof text, "language python { %s }", right[i].text);
                load(&c, text);
                assert_int_equal(c.languages[0].warm_min, right[i].min);
                assert_int_equal(c.languages[0].warm_max, right[i].max);
                config_fini(&c);
        }
}

static void a_default_follows_a_lower_ceiling(void **state)
{
        (void)state;
        struct config c;
        load(&c, "language python { ceilings { cpu = 1s } }");
        assert_int_equal(c.languages[0].standard[LIMIT_CPU], 1000000);
        config_fini(&c);
}

static void what_is_wrong_is_refused_with_its_line(void **state)
{
        (void)state;
        static const struct {
                const char *text, *word;
        } wrong[] = {
                { "\n\nnonsense = 1\n", "line 3" },
                { "nonsense = 1\n", "nonsense" },
                { "max_queue = -1\n", "max_queue" },
                { "max_queue = many\n", "max_queue" },
                { "max_queue = 0\n", "between" },
                { "max_request_bytes = 1\n", "between" },
                { "max_request_bytes = 99999999999999999999\n", "max_request_bytes" },
                { "frame_timeout = 5 parsecs\n", "parsecs" },
                { "log_level = loud\n", "loud" },
                { "listen = {}\n", "listen" },
                { "listen = \"a:1\n", "line" },
                { "language python {\n", "} is missing" },
                { "language python { limits { wall = 1s }\n", "} is missing" },
                { "log_level = info\n/* the rest, and what is appended", "within a comment" },
                { "language python { } }\n", "line" },
                { "language python { }\nlanguage python { }\n", "python" },
                { "language \"a b\" { }\n", "name" },
                { "language python { limits { memory = 900000M } }\n", "memory" },
                { "language python { limits { memory = 2G } }\n", "ceiling" },
                { "language python { limits { bogus = 1 } }\n", "bogus" },
                { "language python { limits { pids = 0 } }\n", "pids" },
                { "language python { warm = 1000 running = 1000 }\n", "together" },
                { "language python { warm_max = 1000 running = 1000 }\n", "together" },
                { "language python { warm = 3 warm_min = 1 }\n", "warm_min sets a bound" },
                { "language python { warm = 3\nwarm_max = 3 }\n", "line 2: language python: warm = 3 sets" },
                { "language python {\nwarm_min = 5\nwarm_max = 4\n}\n", "line 4: language python: warm_min is 5" },
                { "language python { warm_max = -1 }\n", "warm_max" },
                { "warm_memory = 1K\n", "between" },
                { "warm_half_life = 0\n", "between" },
                { "\" where complaints go\" = 5\n", "no such option" },
        };
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
                struct config c;
                struct err e = { 0 };
                int r = config_load(&c, wrong[i].text, "test.conf", &e);
                if (r >= 0)
                        fail_msg("accepted: %s", wrong[i].text);
                assert_refused(r, &e, EINVAL, wrong[i].word);
                assert_non_null(strstr(e.text, "test.conf"));
        }
}

static void a_file_is_read_whole_from_its_start(void **state)
{
        (void)state;
        char path[] = "/tmp/hatchery-config-XXXXXX", *text = NULL;
        struct err e = { 0 };
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, config_builtin, strlen(config_builtin)), strlen(config_builtin));

        assert_int_equal(config_read_fd(fd, &text, &e), 0);
        assert_string_equal(text, config_builtin);
        free(text);
        assert_int_equal(config_read_file(path, &text, &e), 0);
        assert_string_equal(text, config_builtin);
        free(text);
        assert_int_equal(write(fd, "\0", 1), 1);
        assert_refused(config_read_fd(fd, &text, &e), &e, EINVAL, "NUL");
        close(fd);
        unlink(path);
        assert_refused(config_read_file(path, &text, &e), &e, ENOENT, path);
}

static void a_pipe_is_read_to_its_end(void **state)
{
        (void)state;
        char *text = NULL;
        struct err e = { 0 };
        int fd[2];
        assert_int_equal(pipe(fd), 0);
        assert_int_equal(write(fd[1], "max_queue = 7", 13), 13);
        close(fd[1]);
        assert_int_equal(config_read_fd(fd[0], &text, &e), 0);
        assert_string_equal(text, "max_queue = 7");
        free(text);
        close(fd[0]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_built_in_text_says_what_an_empty_one_means),
                cmocka_unit_test(the_language_that_is_shown_is_what_an_empty_section_means),
                cmocka_unit_test(the_built_in_text_states_every_limit_of_the_table),
                cmocka_unit_test(values_have_units),
                cmocka_unit_test(warm_bounds_follow_what_is_given),
                cmocka_unit_test(a_default_follows_a_lower_ceiling),
                cmocka_unit_test(what_is_wrong_is_refused_with_its_line),
                cmocka_unit_test(a_file_is_read_whole_from_its_start),
                cmocka_unit_test(a_pipe_is_read_to_its_end),
        };
        return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
