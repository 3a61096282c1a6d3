/* GetStatus: what the core says of each language, as clients see it. */
#include "tests/unit/front.h"
#include "tests/unit/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct histogram none[STAGE_COUNT];

static void ask(struct front *f, struct answer *a, uint8_t **bytes)
{
        const struct request status = { .id = 9, .kind = REQUEST_STATUS };
        int client = front_connect(f);

        front_say(client, &status);
        front_hear(f, client, a, bytes);
        assert_int_equal(a->m.which_answer, hatchery_v1_ServerMessage_status_tag);
        assert_int_equal(a->m.id, 9);
        close(client);
}

static void each_fact_has_its_field(void **state)
{
        (void)state;
        static struct preload_fact preloads[] = { { "json", false, 5, 6 }, { "gone", true, 0, 0 } };
        const struct language_facts facts = {
                .name = "lua",
                .version = "Lua 5",
                .kind = KIND_FORKED,
                .known = true,
                .ready = true,
                .echoes = true,
                .aliases = "  a bb a",
                .extensions = "lua",
                .preloads = preloads,
                .n_preloads = 2,
                .warm = 1,
                .running = 2,
                .preparing = 3,
                .zygotes = 4,
                .warm_target = 5,
                .warm_min = 6,
                .warm_max = 7,
                .queued = 8,
                .generation = 9,
                .forks = 10,
                .runs = 11,
                .failures = 12,
                .discarded = 13,
                .sandbox_bytes = 14,
                .recycle_p50_us = 15,
                .recycle_p99_us = 16,
                .stage = none,
        };
        struct front *f = front_new();
        struct answer a;
        uint8_t *bytes;

        f->core.languages = &facts;
        f->core.n_languages = 1;
        ask(f, &a, &bytes);
        assert_int_equal(a.n_languages, 1);
        const hatchery_v1_LanguageStatus *l = &a.languages[0];
        assert_string_equal(l->name, "lua");
        assert_string_equal(l->version, "Lua 5");
        assert_true(l->kind == hatchery_v1_LanguageStatus_Kind_FORKED && l->ready && l->echoes);
        assert_true(l->warm == 1 && l->running == 2 && l->preparing == 3 && l->zygotes == 4);
        assert_true(l->warm_target == 5 && l->warm_min == 6 && l->warm_max == 7 && l->queued == 8);
        assert_true(l->generation == 9 && l->forks == 10 && l->runs == 11 && l->failures == 12);
        assert_true(l->discarded == 13 && l->sandbox_bytes == 14);
        assert_true(l->recycle_p50_us == 15 && l->recycle_p99_us == 16);
        assert_int_equal(l->aliases_count, 2); /* each once */
        assert_string_equal(l->aliases[0], "a");
        assert_string_equal(l->aliases[1], "bb");
        assert_int_equal(l->extensions_count, 1);
        assert_int_equal(l->interpreters_count, 3); /* its name, and its aliases */
        assert_int_equal(l->preloads_count, 2);
        assert_string_equal(l->preloads[0].name, "json");
        assert_true(l->preloads[0].first_us == 5 && l->preloads[0].again_us == 6 && l->preloads[1].missing);
        assert_int_equal(l->stages_count, STAGE_COUNT);
        assert_string_equal(l->stages[STAGE_COMPILE].name, "compile");
        answer_fini(&a);
        free(bytes);
        front_free(f);
}

/* How its files are told from others: by those that are written for it, and only where that is known. */
static void files_of_a_language_are_told_once(void **state)
{
        (void)state;
        static char ending[] = "c", header[] = "h", artifact[] = "./a.out", path[] = "/usr/bin/tool", option[] = "-x",
                    flag[] = "-O2", other[] = "other";
        static char *extensions[] = { ending, header, NULL }, *compiled[] = { artifact, NULL },
                    *tool[] = { path, option, NULL }, *flags[] = { flag, NULL };
        const struct config_runtime c = { .extensions = extensions, .run = compiled, .compile_flags = flags };
        const struct config_runtime command = { .run = tool };
        const struct config_language config = { .runtime = other };
        const struct language_facts facts[] = {
                { .name = "c", .version = "", .aliases = "", .extensions = "", .data = &c, .stage = none },
                { .name = "t",
                  .version = "",
                  .aliases = "",
                  .extensions = "",
                  .data = &command,
                  .config = &config,
                  .stage = none },
                { .name = "p",
                  .version = "",
                  .aliases = "",
                  .extensions = "p",
                  .known = true,
                  .names_are_others = true,
                  .stage = none },
                { .name = "u", .version = "", .aliases = "", .extensions = "u", .stage = none },
        };
        struct front *f = front_new();
        struct answer a;
        uint8_t *bytes;

        f->core.languages = facts;
        f->core.n_languages = sizeof facts / sizeof facts[0];
        ask(f, &a, &bytes);
        assert_int_equal(a.n_languages, 4);
        assert_int_equal(a.languages[0].extensions_count, 2);
        assert_int_equal(a.languages[0].interpreters_count, 1);
        assert_int_equal(a.languages[0].compile_flags_count, 1);
        assert_int_equal(a.languages[1].interpreters_count, 3);
        assert_string_equal(a.languages[1].interpreters[1], "other");
        assert_string_equal(a.languages[1].interpreters[2], "tool");
        assert_int_equal(a.languages[2].extensions_count + a.languages[2].interpreters_count, 0);
        assert_int_equal(a.languages[3].extensions_count + a.languages[3].interpreters_count, 0);
        answer_fini(&a);
        free(bytes);
        front_free(f);
}

int main(void)
{
        signal(SIGPIPE, SIG_IGN); /* as in the pool */
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_fact_has_its_field),
                cmocka_unit_test(files_of_a_language_are_told_once),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
