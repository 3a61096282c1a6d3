/* The metrics: see metrics_families.h. Families whose samples are plain fields of the status are rows of two tables. */
#include "gateway/contracts/metrics_families.h"

#include "gateway/contracts/metrics_text.h"
#include "gateway/contracts/readiness.h"
#include "proto/base/stagebound.h"

#include <stddef.h>
#include <string.h>

typedef hatchery_v1_LanguageStatus language_status;

/* ---------------------------------------------------------------- families that are one field */

struct row {
        const char *name, *type, *help;
        size_t offset, size; /* of the field */
        enum metrics_unit unit;
};

#define ROW(of, family_name, family_type, field, field_unit, text)                                                     \
        {                                                                                                              \
                .name = family_name, .type = family_type, .help = text, .offset = offsetof(of, field),                 \
                .size = sizeof(((of *)0)->field), .unit = field_unit                                                   \
        }
#define SERVER(name, type, field, unit, text)   ROW(hatchery_v1_Status, name, type, field, unit, text)
#define LANGUAGE(name, type, field, unit, text) ROW(language_status, name, type, field, unit, text)

static const struct row server_rows[] = {
        SERVER("hatchery_start_time_seconds", "gauge", started_at_us, METRICS_SECONDS,
               "When the pool started, in seconds since 1970-01-01 UTC. Counters count from then on."),
        SERVER("hatchery_draining", "gauge", leaving, METRICS_COUNT,
               "1 if the server was told to end: it drains, or is about to."),
        SERVER("hatchery_connections", "gauge", connections, METRICS_COUNT,
               "Connections to the pool: those of native clients and of the gateway's workers."),
        SERVER("hatchery_client_memory_bytes", "gauge", held_bytes, METRICS_COUNT,
               "Memory that all clients together make the pool hold."),
        SERVER("hatchery_client_memory_limit_bytes", "gauge", max_held_bytes, METRICS_COUNT,
               "The bound of this memory: max_memory."),
        SERVER("hatchery_queue_limit", "gauge", max_queued, METRICS_COUNT,
               "Requests that may wait, of all languages together: max_queue."),
};

static const struct row language_rows[] = {
        LANGUAGE("hatchery_queue_length", "gauge", queued, METRICS_COUNT, "Requests that wait for a sandbox."),
        LANGUAGE("hatchery_running_limit", "gauge", max_running, METRICS_COUNT,
                 "Runs that may go on at one time: running."),
        LANGUAGE("hatchery_warm_target", "gauge", warm_target, METRICS_COUNT,
                 "Sandboxes that are to be warm at present."),
        LANGUAGE("hatchery_warm_min", "gauge", warm_min, METRICS_COUNT, "The lowest number that warm_target may have."),
        LANGUAGE("hatchery_warm_max", "gauge", warm_max, METRICS_COUNT,
                 "The highest number that warm_target may have."),
        LANGUAGE("hatchery_sandbox_memory_bytes", "gauge", sandbox_bytes, METRICS_COUNT,
                 "Memory that one warm sandbox holds; 0: not known yet."),
        LANGUAGE("hatchery_sandboxes_discarded_total", "counter", discarded, METRICS_COUNT,
                 "Slots that were thrown away because their teardown could not be proved."),
        LANGUAGE("hatchery_failures_total", "counter", failures, METRICS_COUNT,
                 "Runs and sandboxes that failed by a fault of Hatchery, not of the program."),
        LANGUAGE("hatchery_cache_hits_total", "counter", cache_hits, METRICS_COUNT,
                 "Compile stages that were answered from the cache."),
        LANGUAGE("hatchery_cache_misses_total", "counter", cache_misses, METRICS_COUNT,
                 "Compile stages that the cache did not have."),
        LANGUAGE("hatchery_zygotes", "gauge", zygotes, METRICS_COUNT, "Zygotes; more than one while they change."),
        LANGUAGE("hatchery_generation", "gauge", generation, METRICS_COUNT,
                 "The number of the serving zygote; 0: none serves."),
};

static uint64_t field_of(const struct row *row, const void *status)
{
        const char *at = (const char *)status + row->offset;
        uint64_t wide = 0;
        uint32_t narrow = 0;

        if (row->size == sizeof(bool))
                return *(const bool *)at;
        if (row->size == sizeof narrow) {
                memcpy(&narrow, at, sizeof narrow);
                return narrow;
        }
        memcpy(&wide, at, sizeof wide);
        return wide;
}

static void write_server_rows(FILE *to, const hatchery_v1_Status *s)
{
        for (size_t i = 0; i < sizeof server_rows / sizeof server_rows[0]; i++) {
                const struct row *row = &server_rows[i];
                metrics_family(to, row->name, row->type, row->help);
                metrics_sample(to, row->name, "", NO_LABELS, field_of(row, s), row->unit);
        }
}

static void write_language_rows(FILE *to, const struct answer *a)
{
        for (size_t i = 0; i < sizeof language_rows / sizeof language_rows[0]; i++) {
                const struct row *row = &language_rows[i];
                metrics_family(to, row->name, row->type, row->help);
                for (size_t k = 0; k < a->n_languages; k++)
                        metrics_sample(to, row->name, "", LABELS({ "language", a->languages[k].name }),
                                       field_of(row, &a->languages[k]), row->unit);
        }
}

/* ---------------------------------------------------------------- the server */

static void write_server(FILE *to, const struct answer *a)
{
        static const char info[] = "hatchery_build_info", ready[] = "hatchery_ready";
        const hatchery_v1_Status *s = &a->m.answer.status;

        metrics_family(to, info, "gauge", "Always 1. The version of the server.");
        metrics_sample(to, info, "", LABELS({ "version", s->server_version }), 1, METRICS_COUNT);
        metrics_family(to, ready, "gauge", "1 if /readyz says that the server is ready.");
        metrics_sample(to, ready, "", NO_LABELS, readiness_check(a, READINESS_FAILED, NULL), METRICS_COUNT);
        write_server_rows(to, s);
}

/* Each code has a sample from the start, so that its first refusal is seen as an increase. */
static void write_refused(FILE *to, const hatchery_v1_Status *s)
{
        static const char name[] = "hatchery_refused_total";

        metrics_family(to, name, "counter", "Requests for a run that were answered by an error, by its code.");
        for (int code = _hatchery_v1_Error_Code_MIN + 1; code <= _hatchery_v1_Error_Code_MAX; code++) {
                uint64_t count = 0;
                if (strcmp(answer_code_name(code), "?") == 0)
                        continue;
                for (size_t i = 0; i < s->refusals_count; i++)
                        count += (int)s->refusals[i].code == code ? s->refusals[i].count : 0;
                metrics_sample(to, name, "", LABELS({ "code", answer_code_name(code) }), count, METRICS_COUNT);
        }
}

/* ---------------------------------------------------------------- languages */

static const char *kind_of(const language_status *l)
{
        static const char *const names[] = { "", "forked", "prestarted", "compiled", "exec" };
        _Static_assert(sizeof names / sizeof names[0] == _hatchery_v1_LanguageStatus_Kind_MAX + 1,
                       "each kind has a name");

        return l->kind <= _hatchery_v1_LanguageStatus_Kind_MAX ? names[l->kind] : "";
}

/* A configured language that is absent is not ready. It has no other numbers. */
static void write_languages(FILE *to, const struct answer *a)
{
        static const char info[] = "hatchery_language_info", ready[] = "hatchery_language_ready",
                          required[] = "hatchery_language_required";

        metrics_family(to, info, "gauge", "Always 1. The version of the language, and the kind of its runtime.");
        for (size_t i = 0; i < a->n_languages; i++)
                metrics_sample(to, info, "",
                               LABELS({ "language", a->languages[i].name }, { "version", a->languages[i].version },
                                      { "kind", kind_of(&a->languages[i]) }),
                               1, METRICS_COUNT);
        metrics_family(to, ready, "gauge", "1 if sandboxes of the language can be made.");
        for (size_t i = 0; i < a->n_languages; i++)
                metrics_sample(to, ready, "", LABELS({ "language", a->languages[i].name }), a->languages[i].ready,
                               METRICS_COUNT);
        for (size_t i = 0; i < a->n_absent; i++)
                metrics_sample(to, ready, "", LABELS({ "language", a->absent[i].name }), 0, METRICS_COUNT);
        metrics_family(to, required, "gauge", "1 if the server is not ready without the language.");
        for (size_t i = 0; i < a->n_languages; i++)
                metrics_sample(to, required, "", LABELS({ "language", a->languages[i].name }), a->languages[i].required,
                               METRICS_COUNT);
        for (size_t i = 0; i < a->n_absent; i++)
                metrics_sample(to, required, "", LABELS({ "language", a->absent[i].name }), a->absent[i].required,
                               METRICS_COUNT);
}

/* Each status has a sample from the start, as above. */
static void write_runs(FILE *to, const struct answer *a)
{
        static const char name[] = "hatchery_runs_total";

        metrics_family(to, name, "counter", "Requests for a run that were answered by a result, by its status.");
        for (size_t i = 0; i < a->n_languages; i++) {
                const language_status *l = &a->languages[i];
                for (int status = 1; status <= _hatchery_v1_Result_Status_MAX; status++) {
                        uint64_t count = 0;
                        for (size_t k = 0; k < l->results_count; k++)
                                count += (int)l->results[k].status == status ? l->results[k].count : 0;
                        metrics_sample(to, name, "",
                                       LABELS({ "language", l->name }, { "status", answer_status_name(status) }), count,
                                       METRICS_COUNT);
                }
        }
}

static void write_sandboxes(FILE *to, const struct answer *a)
{
        static const char name[] = "hatchery_sandboxes";

        metrics_family(to, name, "gauge", "Sandboxes that are prepared, warm, or used by a run.");
        for (size_t i = 0; i < a->n_languages; i++) {
                const language_status *l = &a->languages[i];
                metrics_sample(to, name, "", LABELS({ "language", l->name }, { "state", "preparing" }), l->preparing,
                               METRICS_COUNT);
                metrics_sample(to, name, "", LABELS({ "language", l->name }, { "state", "warm" }), l->warm,
                               METRICS_COUNT);
                metrics_sample(to, name, "", LABELS({ "language", l->name }, { "state", "running" }), l->running,
                               METRICS_COUNT);
        }
}

static void write_recycle(FILE *to, const struct answer *a)
{
        static const char name[] = "hatchery_recycle_seconds";

        metrics_family(to, name, "summary",
                       "Time from the order of a slot's next sandbox until it is warm. Quantiles of the last 512.");
        for (size_t i = 0; i < a->n_languages; i++) {
                const language_status *l = &a->languages[i];
                if (l->recycles > 0) {
                        metrics_sample(to, name, "", LABELS({ "language", l->name }, { "quantile", "0.5" }),
                                       l->recycle_p50_us, METRICS_SECONDS);
                        metrics_sample(to, name, "", LABELS({ "language", l->name }, { "quantile", "0.99" }),
                                       l->recycle_p99_us, METRICS_SECONDS);
                }
                metrics_sample(to, name, "_sum", LABELS({ "language", l->name }), l->recycle_sum_us, METRICS_SECONDS);
                metrics_sample(to, name, "_count", LABELS({ "language", l->name }), l->recycles, METRICS_COUNT);
        }
}

/* ---------------------------------------------------------------- stages */

/* The status leaves out a bucket with the count of the bucket before it. */
static void write_histogram(FILE *to, const char *name, const char *language, const hatchery_v1_StageStatus *stage)
{
        uint64_t count = 0;
        size_t next = 0;

        for (size_t i = 0; i < STAGE_BOUNDS; i++) {
                char bound[METRICS_NUMBER_SIZE];
                if (next < stage->buckets_count && stage->buckets[next].le_us == stage_bound_us[i])
                        count = stage->buckets[next++].count;
                metrics_number(bound, stage_bound_us[i], METRICS_SECONDS);
                metrics_sample(to, name, "_bucket",
                               LABELS({ "language", language }, { "stage", stage->name }, { "le", bound }), count,
                               METRICS_COUNT);
        }
        metrics_sample(to, name, "_bucket",
                       LABELS({ "language", language }, { "stage", stage->name }, { "le", "+Inf" }), stage->count,
                       METRICS_COUNT);
        metrics_sample(to, name, "_sum", LABELS({ "language", language }, { "stage", stage->name }), stage->sum_us,
                       METRICS_SECONDS);
        metrics_sample(to, name, "_count", LABELS({ "language", language }, { "stage", stage->name }), stage->count,
                       METRICS_COUNT);
}

/* A stage that has not happened yet has no samples: a server has many languages that are seldom used, and each stage
 * has 21 samples. */
static void write_stages(FILE *to, const struct answer *a)
{
        static const char name[] = "hatchery_stage_seconds";

        metrics_family(to, name, "histogram", "How long each stage of a run, and of its slot afterwards, took.");
        for (size_t i = 0; i < a->n_languages; i++)
                for (size_t k = 0; k < a->languages[i].stages_count; k++)
                        if (a->languages[i].stages[k].count > 0)
                                write_histogram(to, name, a->languages[i].name, &a->languages[i].stages[k]);
}

void metrics_families(FILE *to, const struct answer *status)
{
        write_server(to, status);
        write_refused(to, &status->m.answer.status);
        write_languages(to, status);
        write_runs(to, status);
        write_sandboxes(to, status);
        write_language_rows(to, status);
        write_recycle(to, status);
        write_stages(to, status);
}
