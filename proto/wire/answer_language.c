/* Decoding the status of one language: see answer_rows.h. */
#include "proto/wire/answer_rows.h"
#include "proto/wire/pbspan.h"
#include "proto/wire/request_limits.h"

#include <string.h>

static const struct pbspan_field bucket_fields[] = {
        NUMBER(Bucket, hatchery_v1_Bucket, , PBSPAN_UINT64, le_us),
        NUMBER(Bucket, hatchery_v1_Bucket, , PBSPAN_UINT64, count),
};
static const struct pbspan_message bucket_message = { "Bucket", bucket_fields, COUNT(bucket_fields) };

static int add_bucket(void *target, struct span content, struct err *e)
{
        hatchery_v1_StageStatus *stage = target;
        return pbspan_decode(&bucket_message, content, &stage->buckets[stage->buckets_count++], e);
}

#define STAGE(kind, field) NUMBER(StageStatus, hatchery_v1_StageStatus, , kind, field)

static const struct pbspan_field stage_status_fields[] = {
        CHARS(StageStatus, hatchery_v1_StageStatus, , name),
        STAGE(PBSPAN_UINT64, count),
        STAGE(PBSPAN_UINT64, sum_us),
        STAGE(PBSPAN_UINT64, p50_us),
        STAGE(PBSPAN_UINT64, p90_us),
        STAGE(PBSPAN_UINT64, p99_us),
        STAGE(PBSPAN_UINT64, max_us),
        { .tag = hatchery_v1_StageStatus_buckets_tag,
          .name = "buckets",
          .kind = PBSPAN_MESSAGE,
          .times = PBSPAN_MANY,
          .max_count = SIZE_OF(hatchery_v1_StageStatus, buckets) / sizeof(hatchery_v1_Bucket),
          .add = add_bucket },
};
static const struct pbspan_message stage_status_message = { "StageStatus", stage_status_fields,
                                                            COUNT(stage_status_fields) };

/* The row's max_count is the size of the array. */
static int add_stage_status(void *target, struct span content, struct err *e)
{
        hatchery_v1_LanguageStatus *language = target;
        return pbspan_decode(&stage_status_message, content, &language->stages[language->stages_count++], e);
}

#define PRELOAD(kind, field) NUMBER(PreloadStatus, hatchery_v1_PreloadStatus, , kind, field)

static const struct pbspan_field preload_fields[] = {
        CHARS(PreloadStatus, hatchery_v1_PreloadStatus, , name),
        PRELOAD(PBSPAN_BOOL, missing),
        PRELOAD(PBSPAN_UINT64, first_us),
        PRELOAD(PBSPAN_UINT64, again_us),
};
static const struct pbspan_message preload_message = { "PreloadStatus", preload_fields, COUNT(preload_fields) };

static int add_preload(void *target, struct span content, struct err *e)
{
        hatchery_v1_LanguageStatus *language = target;
        return pbspan_decode(&preload_message, content, &language->preloads[language->preloads_count++], e);
}

static int add_alias(void *target, struct span content, struct err *e)
{
        (void)e;
        hatchery_v1_LanguageStatus *language = target;
        memcpy(language->aliases[language->aliases_count++], content.data, content.len); /* zeroed before */
        return 0;
}

static int add_compile_flag(void *target, struct span content, struct err *e)
{
        (void)e;
        hatchery_v1_LanguageStatus *language = target;
        memcpy(language->compile_flags[language->compile_flags_count++], content.data, content.len); /* as above */
        return 0;
}

static int add_extension(void *target, struct span content, struct err *e)
{
        (void)e;
        hatchery_v1_LanguageStatus *language = target;
        memcpy(language->extensions[language->extensions_count++], content.data, content.len); /* zeroed before */
        return 0;
}

static int add_interpreter(void *target, struct span content, struct err *e)
{
        (void)e;
        hatchery_v1_LanguageStatus *language = target;
        memcpy(language->interpreters[language->interpreters_count++], content.data, content.len); /* zeroed before */
        return 0;
}

/* A list of words; the row's max_count is the room there is. */
#define WORDS(field, add_one)                                                                                          \
        {                                                                                                              \
                .tag = hatchery_v1_LanguageStatus_##field##_tag, .name = #field, .kind = PBSPAN_TEXT,                  \
                .times = PBSPAN_MANY, .max = SIZE_OF(hatchery_v1_LanguageStatus, field[0]) - 1,                        \
                .max_count =                                                                                           \
                        SIZE_OF(hatchery_v1_LanguageStatus, field) / SIZE_OF(hatchery_v1_LanguageStatus, field[0]),    \
                .add = add_one                                                                                         \
        }

static const struct pbspan_field result_count_fields[] = {
        NUMBER(ResultCount, hatchery_v1_ResultCount, , PBSPAN_INT32, status),
        NUMBER(ResultCount, hatchery_v1_ResultCount, , PBSPAN_UINT64, count),
};
static const struct pbspan_message result_count_message = { "ResultCount", result_count_fields,
                                                            COUNT(result_count_fields) };

static int add_result_count(void *target, struct span content, struct err *e)
{
        hatchery_v1_LanguageStatus *language = target;
        return pbspan_decode(&result_count_message, content, &language->results[language->results_count++], e);
}

/* The first member of Limits is a `has`, and a row takes the offset 0 for none. */
struct limits_target {
        uint64_t first;
        hatchery_v1_Limits limits;
};

#define LIMIT_FIELD(index, field)                                                                                      \
        { .tag = hatchery_v1_Limits_##field##_tag,                                                                     \
          .name = #field,                                                                                              \
          .kind = PBSPAN_INT64,                                                                                        \
          .offset = offsetof(struct limits_target, limits.field),                                                      \
          .has = offsetof(struct limits_target, limits.has_##field) },
static const struct pbspan_field limit_fields[] = { LIMITS(LIMIT_FIELD) };
static const struct pbspan_message limit_message = { "Limits", limit_fields, COUNT(limit_fields) };

static int decode_limits(hatchery_v1_Limits *limits, struct span content, struct err *e)
{
        struct limits_target t = { .limits = *limits };
        int rc = pbspan_decode(&limit_message, content, &t, e);

        *limits = t.limits;
        return rc;
}

static int add_default_limits(void *target, struct span content, struct err *e)
{
        return decode_limits(&((hatchery_v1_LanguageStatus *)target)->default_limits, content, e);
}

static int add_max_limits(void *target, struct span content, struct err *e)
{
        return decode_limits(&((hatchery_v1_LanguageStatus *)target)->max_limits, content, e);
}

#define LANGUAGE(kind, field) NUMBER(LanguageStatus, hatchery_v1_LanguageStatus, , kind, field)

static const struct pbspan_field language_fields[] = {
        CHARS(LanguageStatus, hatchery_v1_LanguageStatus, , name),
        CHARS(LanguageStatus, hatchery_v1_LanguageStatus, , version),
        LANGUAGE(PBSPAN_UINT32, warm),
        LANGUAGE(PBSPAN_UINT32, running),
        LANGUAGE(PBSPAN_UINT32, preparing),
        LANGUAGE(PBSPAN_UINT32, queued),
        LANGUAGE(PBSPAN_UINT64, runs),
        LANGUAGE(PBSPAN_UINT64, failures),
        LANGUAGE(PBSPAN_UINT64, discarded),
        LANGUAGE(PBSPAN_UINT64, recycle_p50_us),
        LANGUAGE(PBSPAN_UINT64, recycle_p99_us),
        LANGUAGE(PBSPAN_BOOL, ready),
        LANGUAGE(PBSPAN_UINT32, generation),
        LANGUAGE(PBSPAN_UINT64, forks),
        LANGUAGE(PBSPAN_UINT32, zygotes),
        { .tag = hatchery_v1_LanguageStatus_stages_tag,
          .name = "stages",
          .kind = PBSPAN_MESSAGE,
          .times = PBSPAN_MANY,
          .max_count = SIZE_OF(hatchery_v1_LanguageStatus, stages) / sizeof(hatchery_v1_StageStatus),
          .add = add_stage_status },
        LANGUAGE(PBSPAN_UINT32, warm_target),
        LANGUAGE(PBSPAN_UINT32, warm_min),
        LANGUAGE(PBSPAN_UINT32, warm_max),
        LANGUAGE(PBSPAN_UINT64, sandbox_bytes),
        LANGUAGE(PBSPAN_INT32, kind),
        WORDS(aliases, add_alias),
        LANGUAGE(PBSPAN_BOOL, echoes),
        { .tag = hatchery_v1_LanguageStatus_preloads_tag,
          .name = "preloads",
          .kind = PBSPAN_MESSAGE,
          .times = PBSPAN_MANY,
          .max_count = SIZE_OF(hatchery_v1_LanguageStatus, preloads) / sizeof(hatchery_v1_PreloadStatus),
          .add = add_preload },
        WORDS(extensions, add_extension),
        WORDS(interpreters, add_interpreter),
        WORDS(compile_flags, add_compile_flag),
        LANGUAGE(PBSPAN_BOOL, prompts),
        { .tag = hatchery_v1_LanguageStatus_results_tag,
          .name = "results",
          .kind = PBSPAN_MESSAGE,
          .times = PBSPAN_MANY,
          .max_count = SIZE_OF(hatchery_v1_LanguageStatus, results) / sizeof(hatchery_v1_ResultCount),
          .add = add_result_count },
        LANGUAGE(PBSPAN_UINT64, cache_hits),
        LANGUAGE(PBSPAN_UINT64, cache_misses),
        { .tag = hatchery_v1_LanguageStatus_default_limits_tag,
          .name = "default_limits",
          .kind = PBSPAN_MESSAGE,
          .has = offsetof(hatchery_v1_LanguageStatus, has_default_limits),
          .add = add_default_limits },
        { .tag = hatchery_v1_LanguageStatus_max_limits_tag,
          .name = "max_limits",
          .kind = PBSPAN_MESSAGE,
          .has = offsetof(hatchery_v1_LanguageStatus, has_max_limits),
          .add = add_max_limits },
        LANGUAGE(PBSPAN_BOOL, required),
        CHARS(LanguageStatus, hatchery_v1_LanguageStatus, , fault),
        LANGUAGE(PBSPAN_UINT64, recycles),
        LANGUAGE(PBSPAN_UINT64, recycle_sum_us),
        LANGUAGE(PBSPAN_UINT32, max_running),
};
static const struct pbspan_message language_message = { "LanguageStatus", language_fields, COUNT(language_fields) };

int answer_decode_language(hatchery_v1_LanguageStatus *language, struct span content, struct err *e)
{
        return pbspan_decode(&language_message, content, language, e);
}
