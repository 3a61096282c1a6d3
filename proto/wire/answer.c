/* Decoding answers: see answer.h. */
#include "proto/wire/answer.h"

#include "proto/wire/answer_rows.h"
#include "proto/wire/pbspan.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* nanopb ignores a missing .options file, and would then generate other types than these. */
_Static_assert(SIZE_OF(hatchery_v1_Result, sandbox) == 48, "hatchery.options was applied");
_Static_assert(SIZE_OF(hatchery_v1_Result, language_version) == 64, "hatchery.options was applied");
_Static_assert(SIZE_OF(hatchery_v1_Result, trace) == WIRE_MAX_TRACE + 1, "hatchery.options was applied");
_Static_assert(SIZE_OF(hatchery_v1_Error, message) == 512, "hatchery.options was applied");
_Static_assert(SIZE_OF(hatchery_v1_LanguageStatus, name) == 32, "hatchery.options was applied");
_Static_assert(SIZE_OF(hatchery_v1_StageStatus, name) == 16, "hatchery.options was applied");
_Static_assert(SIZE_OF(hatchery_v1_ServerMessage, cb_answer) == sizeof(pb_callback_t), "hatchery.options was applied");

/* PBSPAN_INT32 writes an enum as four bytes. */
_Static_assert(sizeof(hatchery_v1_Result_Status) == sizeof(int32_t), "enums have 32 bits");
_Static_assert(sizeof(hatchery_v1_LanguageStatus_Kind) == sizeof(int32_t), "enums have 32 bits");
_Static_assert(sizeof(hatchery_v1_Error_Code) == sizeof(int32_t), "enums have 32 bits");

/* A client holds at most this many elements for one answer. The bounds are far above a server's ceilings, so only a
 * broken server exceeds them. */
enum { MAX_FILES = 1 << 16, MAX_LANGUAGES = 1 << 10 };

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
        CHARS(Result, struct answer, m.answer.result., trace),
};

static int add_language(void *target, struct span content, struct err *e)
{
        struct answer *a = target;
        hatchery_v1_LanguageStatus *language = pbspan_grow((void **)&a->languages, a->n_languages, sizeof *language);
        if (!language)
                return err_set(e, ENOMEM, "decoding an answer");
        a->n_languages++;
        return answer_decode_language(language, content, e);
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

static const struct pbspan_field absent_fields[] = {
        CHARS(AbsentLanguage, hatchery_v1_AbsentLanguage, , name),
        CHARS(AbsentLanguage, hatchery_v1_AbsentLanguage, , reason),
        NUMBER(AbsentLanguage, hatchery_v1_AbsentLanguage, , PBSPAN_BOOL, required),
};
static const struct pbspan_message absent_message = { "AbsentLanguage", absent_fields, COUNT(absent_fields) };

static int add_absent(void *target, struct span content, struct err *e)
{
        struct answer *a = target;
        hatchery_v1_AbsentLanguage *absent = pbspan_grow((void **)&a->absent, a->n_absent, sizeof *absent);
        if (!absent)
                return err_set(e, ENOMEM, "decoding an answer");
        a->n_absent++;
        return pbspan_decode(&absent_message, content, absent, e);
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
        STATUS(PBSPAN_UINT64, started_at_us),
        STATUS(PBSPAN_BOOL, leaving),
        STATUS(PBSPAN_BOOL, came_up),
        { .tag = hatchery_v1_Status_absent_tag,
          .name = "absent",
          .kind = PBSPAN_MESSAGE,
          .times = PBSPAN_MANY,
          .max_count = MAX_LANGUAGES,
          .add = add_absent },
        STATUS(PBSPAN_UINT64, held_bytes),
        STATUS(PBSPAN_UINT64, max_held_bytes),
        STATUS(PBSPAN_UINT32, max_queued),
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

/* A member of the oneof: notes which member came, and decodes it into the answer. */
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
        free(a->absent);
        a->files = NULL;
        a->languages = NULL;
        a->absent = NULL;
        a->n_files = a->n_languages = a->n_absent = 0;
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
