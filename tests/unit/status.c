/* GetStatus: the core's facts about each language, as clients see them. */
#include "tests/unit/front.h"
#include "tests/unit/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct histogram none[STAGE_COUNT];
static const uint64_t no_results[OUTCOME_CANCELLED + 1];
static const int64_t no_limits[LIMIT_COUNT];

#define NOTHING .stage = none, .results = no_results, .standard = no_limits, .ceiling = no_limits

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
        static char runtime[] = "lua";
        const struct config_language config = { .runtime = runtime, .required = true, .running = 19 };
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
                .recycles = 17,
                .recycle_sum_us = 18,
                .fault = "it is tired",
                .config = &config,
                NOTHING,
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
        assert_true(l->recycles == 17 && l->recycle_sum_us == 18 && l->required && l->max_running == 19);
        assert_string_equal(l->fault, "it is tired");
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

/* A language's extensions and interpreters are listed once, and only if they are known. */
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
                { .name = "c", .version = "", .aliases = "", .extensions = "", .data = &c, NOTHING },
                { .name = "t",
                  .version = "",
                  .aliases = "",
                  .extensions = "",
                  .data = &command,
                  .config = &config,
                  NOTHING },
                { .name = "p",
                  .version = "",
                  .aliases = "",
                  .extensions = "p",
                  .known = true,
                  .names_are_others = true,
                  NOTHING },
                { .name = "u", .version = "", .aliases = "", .extensions = "u", NOTHING },
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

static void results_of_runs_come_with_their_numbers(void **state)
{
        (void)state;
        static const uint64_t results[OUTCOME_CANCELLED + 1] = { [OUTCOME_EXITED] = 7, [OUTCOME_CANCELLED] = 2 };
        int64_t standard[LIMIT_COUNT], ceiling[LIMIT_COUNT];
        const struct language_facts facts = {
                .name = "l",
                .version = "",
                .aliases = "",
                .extensions = "",
                .stage = none,
                .results = results,
                .cache_hits = 21,
                .cache_misses = 22,
                .standard = standard,
                .ceiling = ceiling,
        };
        struct front *f = front_new();
        struct answer a;
        uint8_t *bytes;

        for (int i = 0; i < LIMIT_COUNT; i++) {
                standard[i] = 100 + i;
                ceiling[i] = 200 + i;
        }
        f->core.languages = &facts;
        f->core.n_languages = 1;
        f->core.refusals[REFUSAL_INVALID_ARGUMENT] = 3;
        f->core.refusals[REFUSAL_UNAVAILABLE] = 4;
        ask(f, &a, &bytes);
        const hatchery_v1_LanguageStatus *l = &a.languages[0];
        assert_int_equal(l->results_count, 2);
        assert_true(l->results[0].status == hatchery_v1_Result_Status_EXITED && l->results[0].count == 7);
        assert_true(l->results[1].status == hatchery_v1_Result_Status_CANCELLED && l->results[1].count == 2);
        assert_true(l->cache_hits == 21 && l->cache_misses == 22);
        assert_true(l->has_default_limits && l->has_max_limits);
        const hatchery_v1_Limits *d = &l->default_limits, *m = &l->max_limits;
        assert_true(d->has_wall_us && d->wall_us == standard[LIMIT_WALL]);
        assert_true(d->has_stack_bytes && d->stack_bytes == standard[LIMIT_STACK]);
        assert_true(m->has_cpu_us && m->cpu_us == ceiling[LIMIT_CPU]);
        assert_true(m->has_open_files && m->open_files == ceiling[LIMIT_OPEN_FILES]);
        const hatchery_v1_Status *s = &a.m.answer.status;
        assert_int_equal(s->refusals_count, 2);
        assert_true(s->refusals[0].code == hatchery_v1_Error_Code_INVALID_ARGUMENT && s->refusals[0].count == 3);
        assert_true(s->refusals[1].code == hatchery_v1_Error_Code_UNAVAILABLE && s->refusals[1].count == 4);
        answer_fini(&a);
        free(bytes);
        front_free(f);
}

static void buckets_rise_and_are_there_where_something_was_measured(void **state)
{
        (void)state;
        static struct histogram stage[STAGE_COUNT];
        const struct language_facts facts = {
                .name = "l",
                .version = "",
                .aliases = "",
                .extensions = "",
                .stage = stage,
                .results = no_results,
                .standard = no_limits,
                .ceiling = no_limits,
        };
        struct front *f = front_new();
        struct answer a;
        uint8_t *bytes;

        histogram_add(&stage[STAGE_RUN], 100);
        histogram_add(&stage[STAGE_RUN], 101);
        histogram_add(&stage[STAGE_RUN], 1100);
        histogram_add(&stage[STAGE_RUN], 61000000);
        f->core.languages = &facts;
        f->core.n_languages = 1;
        ask(f, &a, &bytes);
        for (int i = 0; i < STAGE_COUNT; i++)
                assert_int_equal(a.languages[0].stages[i].buckets_count, i == STAGE_RUN ? 3 : 0);
        const hatchery_v1_StageStatus *run = &a.languages[0].stages[STAGE_RUN];
        assert_true(run->buckets[0].le_us == 100 && run->buckets[0].count == 1);
        assert_true(run->buckets[1].le_us == 250 && run->buckets[1].count == 2);
        assert_true(run->buckets[2].le_us == 2500 && run->buckets[2].count == 3);
        assert_int_equal(run->count, 4); /* with the longest time, which is in no bucket */
        answer_fini(&a);
        free(bytes);
        front_free(f);
}

static void hear_error(struct front *f, int client, enum refusal_code code)
{
        struct answer a;
        uint8_t *bytes;

        front_hear(f, client, &a, &bytes);
        assert_int_equal(a.m.which_answer, hatchery_v1_ServerMessage_error_tag);
        assert_int_equal(a.m.answer.error.code, code);
        answer_fini(&a);
        free(bytes);
}

/* The core does not see three cases: an Execute that can't be read, an Execute beyond max_in_flight, and a result that
 * is too large for an answer. */
static void what_the_front_refuses_is_counted_too(void **state)
{
        (void)state;
        static const uint8_t much[5000], malformed[] = { 0, 0, 0, 0, 6, 0x08, 9, 0x12, 2, 0x0a, 5 };
        const struct request execute = { .id = 1, .kind = REQUEST_EXECUTE, .execute.language = span_of_text("l") };
        const struct request again = { .id = 2, .kind = REQUEST_EXECUTE, .execute.language = span_of_text("l") };
        const struct outcome large = { .end.status = OUTCOME_EXITED,
                                       .output.out = { much, sizeof much },
                                       .language = "l",
                                       .language_version = "" };
        struct front *f = front_new();
        int client = front_connect(f);
        const uint64_t *count = f->core.refusals;

        f->config.max_answer_bytes = 4096;
        f->config.max_in_flight = 1;
        assert_int_equal(write(client, malformed, sizeof malformed), sizeof malformed);
        hear_error(f, client, REFUSAL_INVALID_ARGUMENT);
        assert_int_equal(count[REFUSAL_INVALID_ARGUMENT], 1);
        front_say(client, &execute);
        front_say(client, &again);
        hear_error(f, client, REFUSAL_RESOURCE_EXHAUSTED);
        assert_int_equal(count[REFUSAL_RESOURCE_EXHAUSTED], 1);
        front_finish(f, 0, &large);
        hear_error(f, client, REFUSAL_RESOURCE_EXHAUSTED);
        assert_int_equal(count[REFUSAL_RESOURCE_EXHAUSTED], 2);

        f->core.refusal = (struct refusal){ .code = REFUSAL_NOT_FOUND, .text = "none" };
        front_say(client, &execute);
        hear_error(f, client, REFUSAL_NOT_FOUND);
        assert_int_equal(count[REFUSAL_NOT_FOUND], 0); /* the core counts what it refuses */
        close(client);
        front_free(f);
}

int main(void)
{
        signal(SIGPIPE, SIG_IGN); /* as in the pool */
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_fact_has_its_field),
                cmocka_unit_test(files_of_a_language_are_told_once),
                cmocka_unit_test(results_of_runs_come_with_their_numbers),
                cmocka_unit_test(what_the_front_refuses_is_counted_too),
                cmocka_unit_test(buckets_rise_and_are_there_where_something_was_measured),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
