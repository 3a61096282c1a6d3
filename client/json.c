/* The command's JSON for runs, pings and errors: see json.h. */
#include "client/json.h"

#include "client/json_value.h"

#include <errno.h>
#include <stdio.h>

static json_t *of_file(const struct file_span *f)
{
        const struct json_member members[] = {
                { "name", json_of_text(f->name.data, f->name.len) },
                { "content", json_of_bytes(f->content) },
                { "mode", json_of_number(f->mode) },
                { "raw_name", json_of_bytes(f->raw_name) },
        };
        return JSON_OBJECT(members);
}

static json_t *of_files(const struct answer *a)
{
        json_t *list = json_array();
        for (size_t i = 0; i < a->n_files; i++)
                list = json_with(list, of_file(&a->files[i]));
        return list;
}

json_t *json_of_result_stages(const hatchery_v1_Stages *s)
{
        const struct json_member members[] = {
                { "queue_us", json_of_number(s->queue_us) },     { "dispatch_us", json_of_number(s->dispatch_us) },
                { "run_us", json_of_number(s->run_us) },         { "drain_us", json_of_number(s->drain_us) },
                { "collect_us", json_of_number(s->collect_us) },
        };
        return JSON_OBJECT(members);
}

/* null: the run had no compile stage. */
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
                { "stdout", json_of_bytes(a->compile_out) },
                { "stderr", json_of_bytes(a->compile_err) },
                { "stdout_truncated", json_boolean(c->stdout_truncated) },
                { "stderr_truncated", json_boolean(c->stderr_truncated) },
                { "wall_us", json_of_number(c->wall_us) },
                { "cpu_us", json_of_number(c->cpu_us) },
                { "memory_peak_bytes", json_of_number(c->memory_peak_bytes) },
        };
        return JSON_OBJECT(members);
}

json_t *json_of_result(const struct answer *a)
{
        const hatchery_v1_Result *r = &a->m.answer.result;
        const struct json_member members[] = {
                { "status", json_of_string(answer_status_name((int)r->status)) },
                { "exit_code", json_integer(r->exit_code) },
                { "signal", json_integer(r->signal) },
                { "stdout", json_of_bytes(a->out) },
                { "stderr", json_of_bytes(a->err) },
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
                { "disk_bytes", json_of_number(r->disk_bytes) },
                { "queue_us", json_of_number(r->queue_us) },
                { "warm_us", json_of_number(r->warm_us) },
                { "sandbox", json_of_string(r->sandbox) },
                { "language", json_of_string(r->language) },
                { "language_version", json_of_string(r->language_version) },
                { "stages", json_of_result_stages(&r->stages) },
                { "compile", of_compile(a) },
                { "pids_denied", json_of_number(r->pids_denied) },
        };
        return JSON_OBJECT(members);
}

json_t *json_of_pong(const struct answer *a, const char *address, uint64_t round_trip_us)
{
        const struct json_member members[] = {
                { "server_version", json_of_string(a->m.answer.pong.server_version) },
                { "address", json_of_string(address) },
                { "round_trip_us", json_of_number(round_trip_us) },
        };
        return JSON_OBJECT(members);
}

json_t *json_of_error(const char *code, const char *message, uint64_t retry_after_ms)
{
        const struct json_member members[] = {
                { "code", json_of_string(code) },
                { "message", json_of_string(message) },
                { "retry_after_ms", json_of_number(retry_after_ms) },
        };
        const struct json_member outer[] = { { "error", JSON_OBJECT(members) } };
        return JSON_OBJECT(outer);
}

int json_print(json_t *object, struct err *e)
{
        if (!object)
                return err_set(e, ENOMEM, "make the JSON object");
        int r = 0;
        errno = 0;
        if (json_dumpf(object, stdout, 0) < 0 || putchar('\n') == EOF || fflush(stdout) != 0)
                r = err_set(e, errno ? errno : EIO, "write to standard output");
        json_decref(object);
        return r;
}
