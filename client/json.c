/* The command's JSON: see json.h. Strings of a server need not be UTF-8, which jansson insists on: they are repaired
 * first. A NULL from any json_ call makes json_set fail, and so the whole object. */
#include "client/json.h"

#include "client/base64.h"
#include "client/text.h"
#include "proto/base/own.h"
#include "proto/ipc/kind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static json_t *of_text(const void *data, size_t len)
{
        size_t repaired_len = 0;
        OWN_MEM char *repaired = text_to_utf8(data, len, &repaired_len);
        return repaired ? json_stringn(repaired, repaired_len) : NULL;
}

static json_t *of_string(const char *text)
{
        return of_text(text, strlen(text));
}

static json_t *of_bytes(struct span s)
{
        size_t len = 0;
        OWN_MEM char *text = base64_encode(s.data, s.len, &len);
        return text ? json_stringn_nocheck(text, len) : NULL;
}

static json_t *of_number(uint64_t n)
{
        return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

struct member {
        const char *name;
        json_t *value; /* consumed */
};

/* An object of its members in their order. All values are consumed, whatever happens. */
static json_t *of_members(const struct member *members, size_t n)
{
        json_t *object = json_object();
        bool complete = object != NULL;
        for (size_t i = 0; i < n; i++)
                if (json_object_set_new(object, members[i].name, members[i].value) < 0)
                        complete = false;
        if (complete)
                return object;
        json_decref(object);
        return NULL;
}

#define OBJECT(members) of_members(members, sizeof(members) / sizeof(members)[0])

static json_t *of_file(const struct file_span *f)
{
        const struct member members[] = {
                { "name", of_text(f->name.data, f->name.len) },
                { "content", of_bytes(f->content) },
                { "mode", of_number(f->mode) },
                { "raw_name", of_bytes(f->raw_name) },
        };
        return OBJECT(members);
}

static json_t *of_files(const struct answer *a)
{
        json_t *list = json_array();
        for (size_t i = 0; i < a->n_files; i++) {
                if (json_array_append_new(list, of_file(&a->files[i])) < 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

static json_t *of_stages(const hatchery_v1_Stages *s)
{
        const struct member members[] = {
                { "queue_us", of_number(s->queue_us) },     { "dispatch_us", of_number(s->dispatch_us) },
                { "run_us", of_number(s->run_us) },         { "drain_us", of_number(s->drain_us) },
                { "collect_us", of_number(s->collect_us) },
        };
        return OBJECT(members);
}

/* null where there was no such stage. */
static json_t *of_compile(const struct answer *a)
{
        const hatchery_v1_Result *r = &a->m.answer.result;
        const hatchery_v1_CompileStage *c = &r->compile;
        if (!r->has_compile)
                return json_null();
        const struct member members[] = {
                { "cached", json_boolean(c->cached) },
                { "compile_us", of_number(c->compile_us) },
                { "status", of_string(answer_status_name((int)c->status)) },
                { "exit_code", json_integer(c->exit_code) },
                { "signal", json_integer(c->signal) },
                { "stdout", of_bytes(a->compile_out) },
                { "stderr", of_bytes(a->compile_err) },
                { "stdout_truncated", json_boolean(c->stdout_truncated) },
                { "stderr_truncated", json_boolean(c->stderr_truncated) },
                { "wall_us", of_number(c->wall_us) },
                { "cpu_us", of_number(c->cpu_us) },
                { "memory_peak_bytes", of_number(c->memory_peak_bytes) },
        };
        return OBJECT(members);
}

json_t *json_of_result(const struct answer *a)
{
        const hatchery_v1_Result *r = &a->m.answer.result;
        const struct member members[] = {
                { "status", of_string(answer_status_name((int)r->status)) },
                { "exit_code", json_integer(r->exit_code) },
                { "signal", json_integer(r->signal) },
                { "stdout", of_bytes(a->out) },
                { "stderr", of_bytes(a->err) },
                { "stdout_truncated", json_boolean(r->stdout_truncated) },
                { "stderr_truncated", json_boolean(r->stderr_truncated) },
                { "stdout_total", of_number(r->stdout_total) },
                { "stderr_total", of_number(r->stderr_total) },
                { "files", of_files(a) },
                { "files_incomplete", json_boolean(r->files_incomplete) },
                { "files_note", of_string(r->files_note) },
                { "wall_us", of_number(r->wall_us) },
                { "cpu_us", of_number(r->cpu_us) },
                { "cpu_user_us", of_number(r->cpu_user_us) },
                { "cpu_system_us", of_number(r->cpu_system_us) },
                { "memory_peak_bytes", of_number(r->memory_peak_bytes) },
                { "oom_killed", json_boolean(r->oom_killed) },
                { "processes_peak", of_number(r->processes_peak) },
                { "disk_bytes", of_number(r->disk_bytes) },
                { "queue_us", of_number(r->queue_us) },
                { "warm_us", of_number(r->warm_us) },
                { "sandbox", of_string(r->sandbox) },
                { "language", of_string(r->language) },
                { "language_version", of_string(r->language_version) },
                { "stages", of_stages(&r->stages) },
                { "compile", of_compile(a) },
                { "pids_denied", of_number(r->pids_denied) },
        };
        return OBJECT(members);
}

static json_t *of_stage(const hatchery_v1_StageStatus *s)
{
        const struct member members[] = {
                { "name", of_string(s->name) },     { "count", of_number(s->count) },
                { "sum_us", of_number(s->sum_us) }, { "p50_us", of_number(s->p50_us) },
                { "p90_us", of_number(s->p90_us) }, { "p99_us", of_number(s->p99_us) },
                { "max_us", of_number(s->max_us) },
        };
        return OBJECT(members);
}

static json_t *of_stage_list(const hatchery_v1_LanguageStatus *l)
{
        json_t *list = json_array();
        for (size_t i = 0; i < l->stages_count; i++) {
                if (json_array_append_new(list, of_stage(&l->stages[i])) < 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

static json_t *of_kind(const hatchery_v1_LanguageStatus *l)
{
        const char *name = l->kind ? kind_name((enum kind)l->kind) : NULL;
        return name ? of_string(name) : json_null();
}

/* Of a field that is a list of words. */
static json_t *of_words(const char *words, size_t n, size_t room)
{
        json_t *list = json_array();
        for (size_t i = 0; i < n; i++) {
                if (json_array_append_new(list, of_string(words + i * room)) < 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

#define WORDS(field) of_words(field[0], field##_count, sizeof field[0])

static json_t *of_preload(const hatchery_v1_PreloadStatus *p)
{
        const struct member members[] = {
                { "name", of_string(p->name) },
                { "missing", json_boolean(p->missing) },
                { "first_us", of_number(p->first_us) },
                { "again_us", of_number(p->again_us) },
        };
        return OBJECT(members);
}

static json_t *of_preloads(const hatchery_v1_LanguageStatus *l)
{
        json_t *list = json_array();
        for (size_t i = 0; i < l->preloads_count; i++) {
                if (json_array_append_new(list, of_preload(&l->preloads[i])) < 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

static json_t *of_language(const hatchery_v1_LanguageStatus *l)
{
        const struct member members[] = {
                { "name", of_string(l->name) },
                { "version", of_string(l->version) },
                { "warm", of_number(l->warm) },
                { "running", of_number(l->running) },
                { "preparing", of_number(l->preparing) },
                { "queued", of_number(l->queued) },
                { "runs", of_number(l->runs) },
                { "failures", of_number(l->failures) },
                { "discarded", of_number(l->discarded) },
                { "recycle_p50_us", of_number(l->recycle_p50_us) },
                { "recycle_p99_us", of_number(l->recycle_p99_us) },
                { "ready", json_boolean(l->ready) },
                { "generation", of_number(l->generation) },
                { "forks", of_number(l->forks) },
                { "zygotes", of_number(l->zygotes) },
                { "stages", of_stage_list(l) },
                { "warm_target", of_number(l->warm_target) },
                { "warm_min", of_number(l->warm_min) },
                { "warm_max", of_number(l->warm_max) },
                { "sandbox_bytes", of_number(l->sandbox_bytes) },
                { "kind", of_kind(l) },
                { "aliases", WORDS(l->aliases) },
                { "echoes", json_boolean(l->echoes) },
                { "preloads", of_preloads(l) },
                { "compile_flags", WORDS(l->compile_flags) },
                { "extensions", WORDS(l->extensions) },
                { "interpreters", WORDS(l->interpreters) },
        };
        return OBJECT(members);
}

static json_t *of_languages(const struct answer *a)
{
        json_t *list = json_array();
        for (size_t i = 0; i < a->n_languages; i++) {
                if (json_array_append_new(list, of_language(&a->languages[i])) < 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

/* In short: what a program wants to know that chooses a language. */
static json_t *of_language_in_short(const hatchery_v1_LanguageStatus *l, bool verbose)
{
        const struct member members[] = {
                { "name", of_string(l->name) },
                { "aliases", WORDS(l->aliases) },
                { "kind", of_kind(l) },
                { "version", of_string(l->version) },
                { "warm", of_number(l->warm) },
                { "extensions", WORDS(l->extensions) },
                { "interpreters", WORDS(l->interpreters) },
        };
        json_t *object = OBJECT(members);
        if (object && verbose &&
            (json_object_set_new(object, "preloads", of_preloads(l)) < 0 ||
             json_object_set_new(object, "compile_flags", WORDS(l->compile_flags)) < 0)) {
                json_decref(object);
                return NULL;
        }
        return object;
}

json_t *json_of_languages(const struct answer *a, bool verbose)
{
        json_t *list = json_array();
        for (size_t i = 0; i < a->n_languages; i++) {
                if (json_array_append_new(list, of_language_in_short(&a->languages[i], verbose)) < 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

json_t *json_of_status(const struct answer *a)
{
        const hatchery_v1_Status *s = &a->m.answer.status;
        const struct member members[] = {
                { "server_version", of_string(s->server_version) },
                { "uptime_us", of_number(s->uptime_us) },
                { "connections", of_number(s->connections) },
                { "queued", of_number(s->queued) },
                { "ready", json_boolean(s->ready) },
                { "draining", json_boolean(s->draining) },
                { "languages", of_languages(a) },
                { "max_request_bytes", of_number(s->max_request_bytes) },
        };
        return OBJECT(members);
}

json_t *json_of_pong(const struct answer *a, const char *address, uint64_t round_trip_us)
{
        const struct member members[] = {
                { "server_version", of_string(a->m.answer.pong.server_version) },
                { "address", of_string(address) },
                { "round_trip_us", of_number(round_trip_us) },
        };
        return OBJECT(members);
}

json_t *json_of_error(const char *code, const char *message, uint64_t retry_after_ms)
{
        const struct member members[] = {
                { "code", of_string(code) },
                { "message", of_string(message) },
                { "retry_after_ms", of_number(retry_after_ms) },
        };
        const struct member outer[] = { { "error", OBJECT(members) } };
        return OBJECT(outer);
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
