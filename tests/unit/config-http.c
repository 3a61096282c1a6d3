/* HTTP in the configuration: pool/config/config_http.h. */
#include "pool/config/config.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>

static void load(struct config *c, const char *text)
{
        struct err e = { 0 };
        if (config_load(c, text, "test", &e) < 0)
                fail_msg("%s: %s", text, e.text);
}

/* words: with spaces between; "": the list is empty. */
static void assert_list(char *const *list, const char *words)
{
        char text[512] = "";
        size_t n = 0;
        for (; list && *list; list++)
                n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? " " : "", *list);
        assert_string_equal(text, words);
}

static void assert_default(const struct config_http *h)
{
        assert_list(h->listen, "127.0.0.1:8060");
        assert_list(h->contracts, "v1 snekbox piston sandboxfusion metrics");
        assert_list(h->hosts, "");
        assert_list(h->origins, "");
}

static void without_a_section_there_is_one_and_it_is_known(void **state)
{
        (void)state;
        struct config c;
        load(&c, "");
        assert_false(c.has_http);
        assert_int_equal(c.n_http, 1);
        assert_default(&c.http[0]);
        assert_int_equal(c.gateway_workers, 0);
        assert_int_equal(c.gateway_memory, 256 << 20);
        assert_int_equal(c.drain_notice_us, 0);
        config_fini(&c);

        load(&c, "http { }");
        assert_true(c.has_http);
        assert_int_equal(c.n_http, 1);
        assert_default(&c.http[0]);
        config_fini(&c);
}

/* Loads the section http that the built-in text shows as a comment: its lines without their first character. */
static void the_section_that_is_shown_is_the_one_of_the_defaults(void **state)
{
        (void)state;
        char text[1024];
        size_t n = 0;
        struct config c;
        const char *at = strstr(config_builtin, "#http {\n");

        assert_non_null(at);
        while (*at == '#') {
                size_t len = strcspn(at, "\n") + 1;
                assert_true(n + len < sizeof text);
                memcpy(text + n, at + 1, len - 1);
                n += len - 1;
                at += len;
        }
        text[n] = '\0';
        load(&c, text);
        assert_true(c.has_http);
        assert_int_equal(c.n_http, 1);
        assert_default(&c.http[0]);
        config_fini(&c);

        load(&c, config_builtin);
        assert_false(c.has_http); /* without a section, --listen turns HTTP off */
        config_fini(&c);
}

static void sections_have_lists_of_their_own(void **state)
{
        (void)state;
        struct config c;
        load(&c, "gateway_workers = 3 gateway_memory = 64M drain_notice = 5s\n"
                 "http { listen = { '0.0.0.0:80', '[::1]:0' } contracts = { v1 } hosts = { run.example.org, '[::1]' }\n"
                 "       origins = { 'https://example.org', 'http://localhost:3000' } }\n"
                 "http {\n contracts = piston\n listen = localhost:2000 }\n"
                 "http { listen = {} contracts = {} }\n"
                 "http { listen = { '[::1]:0' } }\n");
        assert_int_equal(c.gateway_workers, 3);
        assert_int_equal(c.gateway_memory, 64 << 20);
        assert_int_equal(c.drain_notice_us, 5000000);
        assert_true(c.has_http);
        assert_int_equal(c.n_http, 4);
        assert_list(c.http[0].listen, "0.0.0.0:80 [::1]:0");
        assert_list(c.http[0].contracts, "v1");
        assert_list(c.http[0].hosts, "run.example.org [::1]");
        assert_list(c.http[0].origins, "https://example.org http://localhost:3000");
        assert_list(c.http[1].listen, "localhost:2000");
        assert_list(c.http[1].contracts, "piston");
        assert_list(c.http[1].hosts, "");
        assert_int_equal(c.http[1].line, 6);
        assert_null(c.http[2].listen);
        assert_list(c.http[3].contracts, "v1 snekbox piston sandboxfusion metrics");
        config_fini(&c);
}

/* Other machines get metrics only if the section names them. */
static void metrics_are_a_default_on_this_machine_alone(void **state)
{
        (void)state;
        static const struct {
                const char *text, *contracts;
        } rows[] = {
                { "listen = { '127.8.9.1:1' }", "v1 snekbox piston sandboxfusion metrics" },
                { "listen = { '127.0.0.1:1', '[::1]:1', 'localhost:2' }", "v1 snekbox piston sandboxfusion metrics" },
                { "listen = { '0.0.0.0:1' }", "v1 snekbox piston sandboxfusion" },
                { "listen = { '127.0.0.1:1', '[::]:1' }", "v1 snekbox piston sandboxfusion" },
                { "listen = { 'localhost.example:1' }", "v1 snekbox piston sandboxfusion" },
                { "listen = { '0.0.0.0:1' } contracts = { metrics, health }", "metrics health" },
                { "listen = { '0.0.0.0:1' } contracts += { health }", "v1 snekbox piston sandboxfusion health" },
                { "contracts = { '', '', v1 }", "metrics metrics v1" },
                { "listen = { '10.0.0.1:1' } contracts = { '', '', v1, '' }", "v1" },
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                char text[128];
                struct config c;
                snprintf(text, sizeof text, "http { %s }", rows[i].text);
                load(&c, text);
                assert_list(c.http[0].contracts, rows[i].contracts);
                config_fini(&c);
        }
}

static void what_is_wrong_is_refused_with_its_line(void **state)
{
        (void)state;
        static const struct {
                const char *text, *line, *word;
        } wrong[] = {
                { "http {\n listen = { 8060 } }", "line 2", "HOST:PORT" },
                { "http {\n listen = { ':8060' } }", "line 2", "HOST:PORT" },
                { "http {\n listen = { 'a:65536' } }", "line 2", "HOST:PORT" },
                { "http {\n listen = { 'a:1x' } }", "line 2", "HOST:PORT" },
                { "http {\n listen = { '::1:80' } }", "line 2", "HOST:PORT" },
                { "http {\n listen = { 'unix:/run/x' } }", "line 2", "HOST:PORT" },
                { "http {\n listen = { 'a b:80' } }", "line 2", "HOST:PORT" },
                { "http {\n\n contracts = { v1, judge0 } }", "line 3", "judge0" },
                { "http {\n hosts = { 'a:80' } }", "line 2", "without a port" },
                { "http {\n hosts = { '*' } }", "line 2", "a name" },
                { "http {\n origins = { '*' } }", "line 2", "https://example.org" },
                { "http {\n origins = { 'https://example.org/' } }", "line 2", "https://example.org" },
                { "http {\n origins = { 'null' } }", "line 2", "https://example.org" },
                { "http {\n origins = { '://a' } }", "line 2", "https://example.org" },
                { "http {\n origins = { 'https://a:' } }", "line 2", "https://example.org" },
                { "http {\n contracts = {}\n}", "line 3", "contracts is empty" },
                { "http {\n listen = { '10.0.0.1:1' } contracts = { '' }\n}", "line 3", "contracts is empty" },
                { "http {\n listen = { 'a:80', 'a:80' }\n}", "line 3", "twice" },
                { "http {\n listen = { 'a:80' }\n}\nhttp { listen = { 'a:80' } }", "line 4",
                  "a:80 is listened on twice" },
                { "http {\n nonsense = 1 }", "line 2", "nonsense" },
                { "http {\n", "line", "ends within http" },
                { "\ngateway_workers = 65", "line 2", "between 0 and 64" },
                { "\ngateway_memory = 1K", "line 2", "between 1M" },
                { "\ndrain_notice = soon", "line 2", "a time such as" },
        };
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
                struct config c = { 0 };
                struct err e = { 0 };
                if (config_load(&c, wrong[i].text, "test", &e) == 0)
                        fail_msg("taken: %s", wrong[i].text);
                if (!strstr(e.text, "test: ") || !strstr(e.text, wrong[i].line) || !strstr(e.text, wrong[i].word))
                        fail_msg("%s: %s", wrong[i].text, e.text);
        }
}

static void there_is_room_for_so_many(void **state)
{
        (void)state;
        char text[4096];
        struct config c = { 0 };
        struct err e = { 0 };

        size_t n = 0;
        for (int i = 0; i <= CONFIG_MAX_HTTP; i++)
                n += (size_t)snprintf(text + n, sizeof text - n, "http { listen = { 'a:%d' } }\n", i + 1);
        assert_refused(config_load(&c, text, "test", &e), &e, EINVAL, "line 17: there are 17 sections http");

        n = (size_t)snprintf(text, sizeof text, "http { listen = {");
        for (int i = 0; i <= CONFIG_HTTP_WORDS; i++)
                n += (size_t)snprintf(text + n, sizeof text - n, "%s'a:%d'", i ? ", " : "", i + 1);
        snprintf(text + n, sizeof text - n, "} }");
        assert_refused(config_load(&c, text, "test", &e), &e, EINVAL, "room for 32");

        n = 0;
        for (int i = 0; i <= CONFIG_MAX_HTTP_LISTEN / 3; i++)
                n += (size_t)snprintf(text + n, sizeof text - n, "http { listen = { 'a:%d', 'b:%d', 'c:%d' } }\n",
                                      i + 1, i + 1, i + 1);
        assert_refused(config_load(&c, text, "test", &e), &e, EINVAL, "line 11: http: there is room for 32 addresses");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(without_a_section_there_is_one_and_it_is_known),
                cmocka_unit_test(the_section_that_is_shown_is_the_one_of_the_defaults),
                cmocka_unit_test(sections_have_lists_of_their_own),
                cmocka_unit_test(metrics_are_a_default_on_this_machine_alone),
                cmocka_unit_test(what_is_wrong_is_refused_with_its_line),
                cmocka_unit_test(there_is_room_for_so_many),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
