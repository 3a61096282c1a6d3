/* Answers of /v1 as JSON: see v1_parts.h. Bytes are text where they are UTF-8. Otherwise the member's name ends in
 * _base64. */
#include "client/json.h"
#include "client/json_value.h"
#include "gateway/contracts/v1_parts.h"

#include <stdlib.h>
#include <string.h>

static struct json_member of_bytes(const char *text_name, const char *base64_name, struct span bytes)
{
        json_t *text = json_text(bytes, false);

        if (text)
                return (struct json_member){ text_name, text };
        return (struct json_member){ base64_name, json_base64(bytes) };
}

static json_t *of_file(const struct file_span *f)
{
        const struct json_member members[] = {
                { "name", json_of_text(f->name.data, f->name.len) },
                of_bytes("content", "content_base64", f->content),
                { "mode", json_of_number(f->mode) },
        };
        json_t *object = JSON_OBJECT(members);

        if (object && f->raw_name.len && json_object_set_new(object, "raw_name_base64", json_base64(f->raw_name)) < 0) {
                json_decref(object);
                return NULL;
        }
        return object;
}

static json_t *of_files(const struct answer *a)
{
        json_t *list = json_array();
        for (size_t i = 0; i < a->n_files; i++)
                list = json_with(list, of_file(&a->files[i]));
        return list;
}

/* ---------------------------------------------------------------- limits */

static enum limit limit_of(hatchery_v1_Result_Status status)
{
        switch (status) {
        case hatchery_v1_Result_Status_TIME_LIMIT:
                return LIMIT_WALL;
        case hatchery_v1_Result_Status_CPU_LIMIT:
                return LIMIT_CPU;
        case hatchery_v1_Result_Status_MEMORY_LIMIT:
                return LIMIT_MEMORY;
        case hatchery_v1_Result_Status_OUTPUT_LIMIT:
                return LIMIT_OUTPUT;
        case hatchery_v1_Result_Status_DISK_LIMIT:
                return LIMIT_DISK;
        default:
                return LIMIT_COUNT;
        }
}

/* The name of the limit that ended the stage, as in `limits` of a request; null: no limit did. */
static json_t *of_limit(hatchery_v1_Result_Status status, bool by_deadline)
{
        const enum limit limit = limit_of(status);

        if (limit == LIMIT_COUNT)
                return json_null();
        return json_string(limit == LIMIT_WALL && by_deadline ? "deadline_us" : limit_table[limit].name);
}

static bool is_by_deadline(const hatchery_v1_Result *r, uint64_t deadline_us)
{
        return deadline_us > 0 && r->stages.queue_us + r->stages.dispatch_us + r->stages.run_us >= deadline_us;
}

/* ---------------------------------------------------------------- results */

/* null: the language has no compile stage. */
static json_t *of_compile(const struct answer *a)
{
        const hatchery_v1_Result *r = &a->m.answer.result;
        const hatchery_v1_CompileStage *c = &r->compile;
        if (!r->has_compile)
                return json_null();
        const struct json_member members[] = {
                { "cached", json_boolean(c->cached) },
                { "compile_us", json_of_number(c->compile_us) },
                { "status", json_of_string(answer_status_name((int)c->status)) },
                { "exit_code", json_integer(c->exit_code) },
                { "signal", json_integer(c->signal) },
                { "limit_hit", of_limit(c->status, false) },
                of_bytes("stdout", "stdout_base64", a->compile_out),
                of_bytes("stderr", "stderr_base64", a->compile_err),
                { "stdout_truncated", json_boolean(c->stdout_truncated) },
                { "stderr_truncated", json_boolean(c->stderr_truncated) },
                { "wall_us", json_of_number(c->wall_us) },
                { "cpu_us", json_of_number(c->cpu_us) },
                { "memory_peak_bytes", json_of_number(c->memory_peak_bytes) },
        };
        return JSON_OBJECT(members);
}

static json_t *of_facts(const struct answer *a, const char *run_id, uint64_t deadline_us)
{
        const hatchery_v1_Result *r = &a->m.answer.result;
        const struct json_member members[] = {
                { "run_id", json_string(run_id) },
                { "status", json_of_string(answer_status_name((int)r->status)) },
                { "exit_code", json_integer(r->exit_code) },
                { "signal", json_integer(r->signal) },
                { "limit_hit", of_limit(r->status, is_by_deadline(r, deadline_us)) },
                { "stdout_truncated", json_boolean(r->stdout_truncated) },
                { "stderr_truncated", json_boolean(r->stderr_truncated) },
                { "stdout_total", json_of_number(r->stdout_total) },
                { "stderr_total", json_of_number(r->stderr_total) },
                { "files", of_files(a) },
                { "files_incomplete", json_boolean(r->files_incomplete) },
                { "files_note", json_of_string(r->files_note) },
                { "wall_us", json_of_number(r->wall_us) },
                { "cpu_us", json_of_number(r->cpu_us) },
                { "cpu_user_us", json_of_number(r->cpu_user_us) },
                { "cpu_system_us", json_of_number(r->cpu_system_us) },
                { "memory_peak_bytes", json_of_number(r->memory_peak_bytes) },
                { "oom_killed", json_boolean(r->oom_killed) },
                { "processes_peak", json_of_number(r->processes_peak) },
                { "pids_denied", json_of_number(r->pids_denied) },
                { "disk_bytes", json_of_number(r->disk_bytes) },
                { "queue_us", json_of_number(r->queue_us) },
                { "warm_us", json_of_number(r->warm_us) },
                { "sandbox", json_of_string(r->sandbox) },
                { "language", json_of_string(r->language) },
                { "language_version", json_of_string(r->language_version) },
                { "stages", json_of_result_stages(&r->stages) },
                { "compile", of_compile(a) },
                { "trace", json_of_string(r->trace) },
        };
        return JSON_OBJECT(members);
}

/* Adds a member; NULL, and the object is gone, when memory runs out. */
static json_t *with(json_t *object, struct json_member member)
{
        if (object && json_object_set_new(object, member.name, member.value) == 0)
                return object;
        json_decref(object);
        return NULL;
}

json_t *v1_result_json(const struct hatchery_answer *a, const char *run_id, uint64_t deadline_us, bool streamed)
{
        json_t *object = of_facts(&a->answer, run_id, deadline_us);

        if (streamed || !object)
                return object;
        object = with(object, of_bytes("stdout", "stdout_base64", a->answer.out));
        return object ? with(object, of_bytes("stderr", "stderr_base64", a->answer.err)) : NULL;
}

/* ---------------------------------------------------------------- the rest */

json_t *v1_error_json(const struct failure *why)
{
        const struct json_member members[] = {
                { "code", json_of_string(why->code) },
                { "message", json_of_string(why->message) },
                { "retry_after_ms", json_of_number(why->retry_after_ms) },
        };
        const struct json_member outer[] = { { "error", JSON_OBJECT(members) } };
        return JSON_OBJECT(outer);
}

json_t *v1_output_json(hatchery_v1_Output_Stream stream, struct span bytes, uint64_t offset, uint64_t at_us)
{
        const struct json_member members[] = {
                { "stream", json_string(stream == hatchery_v1_Output_Stream_STDERR ? "stderr" : "stdout") },
                of_bytes("text", "base64", bytes),
                { "offset", json_of_number(offset) },
                { "at_us", json_of_number(at_us) },
        };
        return JSON_OBJECT(members);
}

json_t *v1_stage_json(hatchery_v1_Stage_Kind kind, uint64_t at_us, const char *run_id)
{
        const struct json_member members[] = {
                { "stage", json_string(kind == hatchery_v1_Stage_Kind_COMPILE ? "compile" : "run") },
                { "at_us", json_of_number(at_us) },
                { "run_id", json_string(run_id) },
        };
        return JSON_OBJECT(members);
}

char *v1_event_text(const char *event, json_t *object)
{
        json_t *whole = object ? json_object() : NULL;
        char *text = NULL;

        if (whole && json_object_set_new(whole, "event", json_string(event)) == 0 &&
            json_object_update(whole, object) == 0)
                text = json_dumps(whole, JSON_COMPACT);
        json_decref(whole);
        json_decref(object);
        return text;
}

void v1_lacks_memory(struct failure *why)
{
        failure_set(why, 503, "RESOURCE_EXHAUSTED", "this server has no memory for the request; send it again later");
        why->retry_after_ms = 1000;
}
