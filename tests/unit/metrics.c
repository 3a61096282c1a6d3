/* The text of /metrics, and the checks of /readyz: gateway/contracts/metrics_*.h, readiness.h. */
#include "gateway/contracts/metrics_families.h"
#include "gateway/contracts/metrics_text.h"
#include "gateway/contracts/readiness.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static char *families(const struct answer *a)
{
        char *text = NULL;
        size_t size;
        FILE *to = open_memstream(&text, &size);

        assert_non_null(to);
        metrics_families(to, a);
        assert_int_equal(fclose(to), 0);
        return text;
}

/* A status with a language that has run, and one that has not. */
static struct answer status_of(hatchery_v1_LanguageStatus languages[2])
{
        struct answer a = { .languages = languages, .n_languages = 2 };
        hatchery_v1_Status *s = &a.m.answer.status;

        a.m.which_answer = hatchery_v1_ServerMessage_status_tag;
        snprintf(s->server_version, sizeof s->server_version, "1.2");
        s->came_up = true;
        s->started_at_us = 1700000000250000;
        s->connections = 5;
        s->held_bytes = UINT64_C(1) << 40;
        s->refusals_count = 1;
        s->refusals[0] = (hatchery_v1_RefusalCount){ hatchery_v1_Error_Code_UNAVAILABLE, 6 };

        memset(languages, 0, 2 * sizeof *languages);
        hatchery_v1_LanguageStatus *l = &languages[0];
        snprintf(l->name, sizeof l->name, "c++");
        snprintf(l->version, sizeof l->version, "a\"b\\c\nd");
        l->kind = hatchery_v1_LanguageStatus_Kind_COMPILED;
        l->ready = l->required = true;
        l->warm = 1;
        l->running = 2;
        l->preparing = 3;
        l->queued = UINT32_MAX;
        l->cache_hits = UINT64_MAX;
        l->results_count = 1;
        l->results[0] = (hatchery_v1_ResultCount){ hatchery_v1_Result_Status_TIME_LIMIT, 7 };
        l->recycles = 2;
        l->recycle_sum_us = 3000001;
        l->recycle_p50_us = 1;
        l->recycle_p99_us = 1500000;
        l->stages_count = 2;
        snprintf(l->stages[0].name, sizeof l->stages[0].name, "queue"); /* never happened */
        hatchery_v1_StageStatus *run = &l->stages[1];
        snprintf(run->name, sizeof run->name, "run");
        run->count = 4;
        run->sum_us = 61000100;
        run->buckets_count = 2;
        run->buckets[0] = (hatchery_v1_Bucket){ 250, 1 };
        run->buckets[1] = (hatchery_v1_Bucket){ 1000000, 3 };
        snprintf(languages[1].name, sizeof languages[1].name, "lua");
        snprintf(languages[1].fault, sizeof languages[1].fault, "it is\ntired");
        return a;
}

static void numbers_are_exact(void **state)
{
        (void)state;
        static const struct {
                uint64_t value;
                enum metrics_unit unit;
                const char *text;
        } rows[] = {
                { 0, METRICS_COUNT, "0" },
                { UINT64_MAX, METRICS_COUNT, "18446744073709551615" },
                { 100, METRICS_COUNT, "100" },
                { 0, METRICS_SECONDS, "0" },
                { 1, METRICS_SECONDS, "0.000001" },
                { 100, METRICS_SECONDS, "0.0001" },
                { 250, METRICS_SECONDS, "0.00025" },
                { 1000000, METRICS_SECONDS, "1" },
                { 2500000, METRICS_SECONDS, "2.5" },
                { 60000000, METRICS_SECONDS, "60" },
                { UINT64_MAX, METRICS_SECONDS, "18446744073709.551615" },
        };
        for (size_t i = 0; i < COUNT(rows); i++) {
                char text[METRICS_NUMBER_SIZE];
                metrics_number(text, rows[i].value, rows[i].unit);
                assert_string_equal(text, rows[i].text);
        }
}

static void each_number_has_its_sample(void **state)
{
        (void)state;
        static const char *const lines[] = {
                "hatchery_build_info{version=\"1.2\"} 1",
                "hatchery_ready 1",
                "hatchery_draining 0",
                "hatchery_start_time_seconds 1700000000.25",
                "hatchery_connections 5",
                "hatchery_client_memory_bytes 1099511627776",
                "hatchery_refused_total{code=\"UNAVAILABLE\"} 6",
                "hatchery_refused_total{code=\"INTERNAL\"} 0",
                "hatchery_language_ready{language=\"c++\"} 1",
                "hatchery_language_ready{language=\"lua\"} 0",
                "hatchery_language_ready{language=\"cobol\"} 0",
                "hatchery_language_required{language=\"c++\"} 1",
                "hatchery_language_required{language=\"cobol\"} 0",
                "hatchery_runs_total{language=\"c++\",status=\"TIME_LIMIT\"} 7",
                "hatchery_runs_total{language=\"lua\",status=\"EXITED\"} 0",
                "hatchery_sandboxes{language=\"c++\",state=\"preparing\"} 3",
                "hatchery_sandboxes{language=\"c++\",state=\"warm\"} 1",
                "hatchery_sandboxes{language=\"c++\",state=\"running\"} 2",
                "hatchery_queue_length{language=\"c++\"} 4294967295",
                "hatchery_cache_hits_total{language=\"c++\"} 18446744073709551615",
                "hatchery_recycle_seconds{language=\"c++\",quantile=\"0.99\"} 1.5",
                "hatchery_recycle_seconds_sum{language=\"c++\"} 3.000001",
                "hatchery_recycle_seconds_count{language=\"c++\"} 2",
                "hatchery_recycle_seconds_count{language=\"lua\"} 0",
        };
        hatchery_v1_LanguageStatus languages[2];
        hatchery_v1_AbsentLanguage absent = { .name = "cobol", .reason = "it is old" };
        struct answer a = status_of(languages);
        a.absent = &absent;
        a.n_absent = 1;
        char *text = families(&a);

        for (size_t i = 0; i < COUNT(lines); i++) {
                char line[160];
                snprintf(line, sizeof line, "\n%s\n", lines[i]);
                if (!strstr(text, line))
                        fail_msg("there is no line %s in\n%s", lines[i], text);
        }
        assert_null(strstr(text, "{language=\"lua\",quantile")); /* there is none yet */
        assert_null(strstr(text, "stage=\"queue\""));            /* it has not happened */
        free(text);
}

static void labels_are_escaped(void **state)
{
        (void)state;
        hatchery_v1_LanguageStatus languages[2];
        struct answer a = status_of(languages);
        char *text = families(&a);

        assert_non_null(strstr(text, "hatchery_language_info{language=\"c++\",version=\"a\\\"b\\\\c\\nd\","
                                     "kind=\"compiled\"} 1\n"));
        free(text);
}

/* Buckets that the status leaves out have the count of the bucket before them. */
static void histograms_are_whole(void **state)
{
        (void)state;
        static const char *const bounds[] = { "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01",
                                              "0.025",  "0.05",    "0.1",    "0.25",  "0.5",    "1",     "2.5",
                                              "5",      "10",      "30",     "60",    "+Inf" };
        hatchery_v1_LanguageStatus languages[2];
        struct answer a = status_of(languages);
        char *text = families(&a);
        const char *at = strstr(text, "hatchery_stage_seconds_bucket");

        for (size_t i = 0; i < COUNT(bounds); i++) {
                char line[160];
                int count = i < 1 ? 0 : i < 12 ? 1 : i < 18 ? 3 : 4;
                int n = snprintf(line, sizeof line,
                                 "hatchery_stage_seconds_bucket{language=\"c++\",stage=\"run\",le=\"%s\"} %d\n",
                                 bounds[i], count);
                assert_memory_equal(at, line, (size_t)n);
                at += n;
        }
        assert_string_equal(at, "hatchery_stage_seconds_sum{language=\"c++\",stage=\"run\"} 61.0001\n"
                                "hatchery_stage_seconds_count{language=\"c++\",stage=\"run\"} 4\n");
        free(text);
}

/* ---------------------------------------------------------------- readiness */

static void assert_ready(const struct answer *a, enum readiness_lines lines, bool is_ready, const char *expected)
{
        char *text = NULL;
        size_t size;
        FILE *to = open_memstream(&text, &size);

        assert_non_null(to);
        assert_int_equal(readiness_check(a, lines, to), is_ready);
        assert_int_equal(readiness_check(a, lines, NULL), is_ready);
        fclose(to);
        assert_string_equal(text, expected);
        free(text);
}

static void an_optional_language_takes_no_server_out(void **state)
{
        (void)state;
        hatchery_v1_LanguageStatus languages[2];
        hatchery_v1_AbsentLanguage absent = { .name = "cobol", .reason = "it is old" };
        struct answer a = status_of(languages);

        assert_ready(&a, READINESS_ALL, true,
                     "[+]pool ok\n[+]start ok\n[+]serving ok\n[+]languages ok\n[+]language c++ ok\n"
                     "[-]optional language lua failed: it is tired\n");
        assert_ready(&a, READINESS_FAILED, true, "");
        languages[1].required = true;
        assert_ready(&a, READINESS_FAILED, false, "[-]language lua failed: it is tired\n");
        languages[1].ready = true;
        a.absent = &absent;
        a.n_absent = 1;
        assert_ready(&a, READINESS_FAILED, true, "");
        absent.required = true;
        assert_ready(&a, READINESS_FAILED, false, "[-]language cobol failed: it is old\n");
}

static void a_server_that_starts_or_ends_is_not_ready(void **state)
{
        (void)state;
        hatchery_v1_LanguageStatus languages[2];
        struct answer a = status_of(languages);
        hatchery_v1_Status *s = &a.m.answer.status;

        s->came_up = false;
        assert_ready(&a, READINESS_FAILED, false, "[-]start failed: languages are still starting\n");
        s->came_up = s->leaving = true;
        assert_ready(&a, READINESS_FAILED, false, "[-]serving failed: the server is about to end\n");
        s->draining = true;
        assert_ready(&a, READINESS_FAILED, false, "[-]serving failed: the server drains, and takes no new requests\n");
        s->draining = s->leaving = false;
        languages[0].required = languages[0].ready = false;
        assert_ready(&a, READINESS_FAILED, false, "[-]languages failed: no language is ready\n");
        a.n_languages = 0;
        assert_ready(&a, READINESS_FAILED, false, "[-]languages failed: no language is ready\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(numbers_are_exact),
                cmocka_unit_test(each_number_has_its_sample),
                cmocka_unit_test(labels_are_escaped),
                cmocka_unit_test(histograms_are_whole),
                cmocka_unit_test(an_optional_language_takes_no_server_out),
                cmocka_unit_test(a_server_that_starts_or_ends_is_not_ready),
        };
        return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
