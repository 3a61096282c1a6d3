/* Decoding answers: see answer.h. */
#include "proto/wire/answer.h"

#include "proto/wire/pbspan.h"
#include "proto/wire/request_limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array)          (sizeof(array) / sizeof *(array))
#define SIZE_OF(type, member) sizeof(((type *)0)->member)

/* nanopb ignores a missing .options file, and would then generate other types than these. */
_Static_assert(SIZE_OF(hatchery_v1_Result, sandbox) == 48, "hatchery.options was applied");
_Static_assert(SIZE_OF(hatchery_v1_Result, language_version) == 64, "hatchery.options was applied");
_Static_assert(SIZE_OF(hatchery_v1_Error, message) == 512, "hatchery.options was applied");
_Static_assert(SIZE_OF(hatchery_v1_LanguageStatus, name) == 32, "hatchery.options was applied");
_Static_assert(SIZE_OF(hatchery_v1_StageStatus, name) == 16, "hatchery.options was applied");
_Static_assert(SIZE_OF(hatchery_v1_ServerMessage, cb_answer) == sizeof(pb_callback_t), "hatchery.options was applied");

/* PBSPAN_INT32 writes an enum as four bytes. */
_Static_assert(sizeof(hatchery_v1_Result_Status) == sizeof(int32_t), "enums have 32 bits");
_Static_assert(sizeof(hatchery_v1_LanguageStatus_Kind) == sizeof(int32_t), "enums have 32 bits");
_Static_assert(sizeof(hatchery_v1_Error_Code) == sizeof(int32_t), "enums have 32 bits");

/* A client holds at most so many elements for one answer. The bounds are far above a server's ceilings, so that only a
 * broken server meets them. */
enum { MAX_FILES = 1 << 16, MAX_LANGUAGES = 1 << 10 };

/* Rows of a message. Its fields keep their .proto names in a generated struct; `at` is that struct's place in the
 * target, for offsetof. */
#define NUMBER(message, target, at, wire_kind, field)                                                                  \
        {                                                                                                              \
                .tag = hatchery_v1_##message##_##field##_tag, .name = #field, .kind = wire_kind,                       \
                .offset = offsetof(target, at field)                                                                   \
        }
#define CHARS(message, target, at, field)                                                                              \
        {                                                                                                              \
                .tag = hatchery_v1_##message##_##field##_tag, .name = #field, .kind = PBSPAN_CHARS,                    \
                .offset = offsetof(target, at field), .max = SIZE_OF(target, at field)                                 \
        }

static const struct pbspan_field file_fields[] = {
        { .tag = hatchery_v1_File_name_tag,
          .name = "name",
          .kind = PBSPAN_TEXT,
          .offset = offsetof(struct file_span, name) },
        { .tag = hatchery_v1_File_content_tag,
          .name = "content",
          .kind = PBSPAN_BYTES,
          .offset = offsetof(struct file_span, content) },
        NUMBER(File, struct file_span, , PBSPAN_UINT32, mode),
        { .tag = hatchery_v1_File_raw_name_tag,
          .name = "raw_name",
          .kind = PBSPAN_BYTES,
          .offset = offsetof(struct file_span, raw_name) },
};
static const struct pbspan_message file_message = { "File", file_fields, COUNT(file_fields) };

static int add_file(void *target, struct span content, struct err *e)
{
        struct answer *a = target;
        struct file_span *file = pbspan_grow((void **)&a->files, a->n_files, sizeof *file);
        if (!file)
                return err_set(e, ENOMEM, "decoding an answer");
        a->n_files++;
        return pbspan_decode(&file_message, content, file, e);
}

#define STAGES(field) NUMBER(Stages, hatchery_v1_Stages, , PBSPAN_UINT64, field)

static const struct pbspan_field stages_fields[] = {
        STAGES(queue_us), STAGES(dispatch_us), STAGES(run_us), STAGES(drain_us), STAGES(collect_us),
};
static const struct pbspan_message stages_message = { "Stages", stages_fields, COUNT(stages_fields) };

static int add_stages(void *target, struct span content, struct err *e)
{
        hatchery_v1_Result *result = &((struct answer *)target)->m.answer.result;
        result->has_stages = true;
        return pbspan_decode(&stages_message, content, &result->stages, e);
}

#define COMPILE(kind, field) NUMBER(CompileStage, struct answer, m.answer.result.compile., kind, field)

static const struct pbspan_field compile_fields[] = {
        COMPILE(PBSPAN_BOOL, cached),
        COMPILE(PBSPAN_UINT64, compile_us),
        COMPILE(PBSPAN_INT32, status),
        COMPILE(PBSPAN_INT32, exit_code),
        COMPILE(PBSPAN_INT32, signal),
        { .tag = hatchery_v1_CompileStage_stdout_tag,
          .name = "stdout",
          .kind = PBSPAN_BYTES,
          .offset = offsetof(struct answer, compile_out) },
        { .tag = hatchery_v1_CompileStage_stderr_tag,
          .name = "stderr",
          .kind = PBSPAN_BYTES,
          .offset = offsetof(struct answer, compile_err) },
        COMPILE(PBSPAN_BOOL, stdout_truncated),
        COMPILE(PBSPAN_BOOL, stderr_truncated),
        COMPILE(PBSPAN_UINT64, wall_us),
        COMPILE(PBSPAN_UINT64, cpu_us),
        COMPILE(PBSPAN_UINT64, memory_peak_bytes),
};
static const struct pbspan_message compile_message = { "CompileStage", compile_fields, COUNT(compile_fields) };

static int add_compile(void *target, struct span content, struct err *e)
{
        ((struct answer *)target)->m.answer.result.has_compile = true;
        return pbspan_decode(&compile_message, content, target, e);
}

#define RESULT(kind, field) NUMBER(Result, struct answer, m.answer.result., kind, field)

static const struct pbspan_field result_fields[] = {
        RESULT(PBSPAN_INT32, status),
        RESULT(PBSPAN_INT32, exit_code),
        RESULT(PBSPAN_INT32, signal),
        { .tag = hatchery_v1_Result_stdout_tag,
          .name = "stdout",
          .kind = PBSPAN_BYTES,
          .offset = offsetof(struct answer, out) },
        { .tag = hatchery_v1_Result_stderr_tag,
          .name = "stderr",
          .kind = PBSPAN_BYTES,
          .offset = offsetof(struct answer, err) },
        RESULT(PBSPAN_BOOL, stdout_truncated),
        RESULT(PBSPAN_BOOL, stderr_truncated),
        RESULT(PBSPAN_UINT64, stdout_total),
        RESULT(PBSPAN_UINT64, stderr_total),
        { .tag = hatchery_v1_Result_files_tag,
          .name = "files",
          .kind = PBSPAN_MESSAGE,
          .times = PBSPAN_MANY,
          .max_count = MAX_FILES,
          .add = add_file },
        RESULT(PBSPAN_BOOL, files_incomplete),
        CHARS(Result, struct answer, m.answer.result., files_note),
        RESULT(PBSPAN_UINT64, wall_us),
        RESULT(PBSPAN_UINT64, cpu_us),
        RESULT(PBSPAN_UINT64, cpu_user_us),
        RESULT(PBSPAN_UINT64, cpu_system_us),
        RESULT(PBSPAN_UINT64, memory_peak_bytes),
        RESULT(PBSPAN_BOOL, oom_killed),
        RESULT(PBSPAN_UINT32, processes_peak),
        RESULT(PBSPAN_UINT64, disk_bytes),
        RESULT(PBSPAN_UINT64, queue_us),
        RESULT(PBSPAN_UINT64, warm_us),
        CHARS(Result, struct answer, m.answer.result., sandbox),
        CHARS(Result, struct answer, m.answer.result., language),
        CHARS(Result, struct answer, m.answer.result., language_version),
        { .tag = hatchery_v1_Result_stages_tag, .name = "stages", .kind = PBSPAN_MESSAGE, .add = add_stages },
        { .tag = hatchery_v1_Result_compile_tag, .name = "compile", .kind = PBSPAN_MESSAGE, .add = add_compile },
        RESULT(PBSPAN_UINT64, pids_denied),
};

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
};
static const struct pbspan_message language_message = { "LanguageStatus", language_fields, COUNT(language_fields) };

static int add_language(void *target, struct span content, struct err *e)
{
        struct answer *a = target;
        hatchery_v1_LanguageStatus *language = pbspan_grow((void **)&a->languages, a->n_languages, sizeof *language);
        if (!language)
                return err_set(e, ENOMEM, "decoding an answer");
        a->n_languages++;
        return pbspan_decode(&language_message, content, language, e);
}

static const struct pbspan_field refusal_count_fields[] = {
        NUMBER(RefusalCount, hatchery_v1_RefusalCount, , PBSPAN_INT32, code),
        NUMBER(RefusalCount, hatchery_v1_RefusalCount, , PBSPAN_UINT64, count),
};
static const struct pbspan_message refusal_count_message = { "RefusalCount", refusal_count_fields,
                                                             COUNT(refusal_count_fields) };

static int add_refusal_count(void *target, struct span content, struct err *e)
{
        hatchery_v1_Status *status = &((struct answer *)target)->m.answer.status;
        return pbspan_decode(&refusal_count_message, content, &status->refusals[status->refusals_count++], e);
}

#define STATUS(kind, field) NUMBER(Status, struct answer, m.answer.status., kind, field)

static const struct pbspan_field status_fields[] = {
        CHARS(Status, struct answer, m.answer.status., server_version),
        STATUS(PBSPAN_UINT64, uptime_us),
        STATUS(PBSPAN_UINT32, connections),
        STATUS(PBSPAN_UINT32, queued),
        STATUS(PBSPAN_BOOL, ready),
        STATUS(PBSPAN_BOOL, draining),
        STATUS(PBSPAN_UINT64, max_request_bytes),
        { .tag = hatchery_v1_Status_refusals_tag,
          .name = "refusals",
          .kind = PBSPAN_MESSAGE,
          .times = PBSPAN_MANY,
          .max_count = SIZE_OF(hatchery_v1_Status, refusals) / sizeof(hatchery_v1_RefusalCount),
          .add = add_refusal_count },
        { .tag = hatchery_v1_Status_languages_tag,
          .name = "languages",
          .kind = PBSPAN_MESSAGE,
          .times = PBSPAN_MANY,
          .max_count = MAX_LANGUAGES,
          .add = add_language },
};

static const struct pbspan_field error_fields[] = {
        NUMBER(Error, struct answer, m.answer.error., PBSPAN_INT32, code),
        CHARS(Error, struct answer, m.answer.error., message),
        NUMBER(Error, struct answer, m.answer.error., PBSPAN_UINT64, retry_after_ms),
};

static const struct pbspan_field pong_fields[] = {
        CHARS(Pong, struct answer, m.answer.pong., server_version),
};

static const struct pbspan_field cancelled_fields[] = {
        NUMBER(Cancelled, struct answer, m.answer.cancelled., PBSPAN_BOOL, found),
};

static const struct pbspan_field output_fields[] = {
        NUMBER(Output, struct answer, m.answer.output., PBSPAN_INT32, stream),
        { .tag = hatchery_v1_Output_bytes_tag,
          .name = "bytes",
          .kind = PBSPAN_BYTES,
          .offset = offsetof(struct answer, out) },
        NUMBER(Output, struct answer, m.answer.output., PBSPAN_UINT64, offset),
        NUMBER(Output, struct answer, m.answer.output., PBSPAN_UINT64, at_us),
};

static const struct pbspan_field credit_fields[] = {
        NUMBER(Credit, struct answer, m.answer.credit., PBSPAN_UINT64, request_id),
        NUMBER(Credit, struct answer, m.answer.credit., PBSPAN_UINT64, bytes),
        NUMBER(Credit, struct answer, m.answer.credit., PBSPAN_BOOL, closed),
};

static const struct pbspan_field stage_fields[] = {
        NUMBER(Stage, struct answer, m.answer.stage., PBSPAN_INT32, kind),
        NUMBER(Stage, struct answer, m.answer.stage., PBSPAN_UINT64, at_us),
};

static const struct pbspan_field signalled_fields[] = {
        NUMBER(Signalled, struct answer, m.answer.signalled., PBSPAN_BOOL, sent),
};

/* A member of the oneof: notes which it is, and decodes into the answer. */
#define MEMBER(message, field)                                                                                         \
        static const struct pbspan_message field##_message = { #message, field##_fields, COUNT(field##_fields) };      \
        static int add_##field(void *target, struct span content, struct err *e)                                       \
        {                                                                                                              \
                ((struct answer *)target)->m.which_answer = hatchery_v1_ServerMessage_##field##_tag;                   \
                return pbspan_decode(&field##_message, content, target, e);                                            \
        }
#define MEMBER_ROW(field)                                                                                              \
        {                                                                                                              \
                .tag = hatchery_v1_ServerMessage_##field##_tag, .name = #field, .kind = PBSPAN_MESSAGE,                \
                .times = PBSPAN_ONEOF, .add = add_##field                                                              \
        }

MEMBER(Result, result)
MEMBER(Error, error)
MEMBER(Pong, pong)
MEMBER(Status, status)
MEMBER(Cancelled, cancelled)
MEMBER(Output, output)
MEMBER(Credit, credit)
MEMBER(Stage, stage)
MEMBER(Signalled, signalled)

static const struct pbspan_field server_fields[] = {
        NUMBER(ServerMessage, struct answer, m., PBSPAN_UINT64, id),
        MEMBER_ROW(result),
        MEMBER_ROW(error),
        MEMBER_ROW(pong),
        MEMBER_ROW(status),
        MEMBER_ROW(cancelled),
        MEMBER_ROW(output),
        MEMBER_ROW(credit),
        MEMBER_ROW(stage),
        MEMBER_ROW(signalled),
};
static const struct pbspan_message server_message = { "ServerMessage", server_fields, COUNT(server_fields) };

int answer_decode(struct answer *a, const uint8_t *data, size_t len, struct err *e)
{
        memset(a, 0, sizeof *a);
        int r = pbspan_decode(&server_message, (struct span){ data, len }, a, e);
        if (r < 0)
                return r;
        if (a->m.which_answer == 0)
                return err_say(e, EPROTO, "the message holds no answer that this client knows; is the server newer?");
        return 0;
}

void answer_fini(struct answer *a)
{
        free(a->files);
        free(a->languages);
        a->files = NULL;
        a->languages = NULL;
        a->n_files = a->n_languages = 0;
}

const char *answer_status_name(int status)
{
        const char *name = hatchery_v1_Result_Status_name((hatchery_v1_Result_Status)status);
        return strcmp(name, "unknown") == 0 ? "?" : name;
}

const char *answer_code_name(int code)
{
        const char *name = hatchery_v1_Error_Code_name((hatchery_v1_Error_Code)code);
        return strcmp(name, "unknown") == 0 ? "?" : name;
}
