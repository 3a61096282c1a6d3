/* The command's JSON for the status of a server and its languages: see json.h. */
#include "client/json.h"
#include "client/json_value.h"
#include "proto/ipc/kind.h"

static json_t *of_buckets(const hatchery_v1_StageStatus *s)
{
        json_t *list = json_array();
        for (size_t i = 0; i < s->buckets_count; i++) {
                const struct json_member members[] = {
                        { "le_us", json_of_number(s->buckets[i].le_us) },
                        { "count", json_of_number(s->buckets[i].count) },
                };
                list = json_with(list, JSON_OBJECT(members));
        }
        return list;
}

static json_t *of_stage(const hatchery_v1_StageStatus *s)
{
        const struct json_member members[] = {
                { "name", json_of_string(s->name) },     { "count", json_of_number(s->count) },
                { "sum_us", json_of_number(s->sum_us) }, { "p50_us", json_of_number(s->p50_us) },
                { "p90_us", json_of_number(s->p90_us) }, { "p99_us", json_of_number(s->p99_us) },
                { "max_us", json_of_number(s->max_us) }, { "buckets", of_buckets(s) },
        };
        return JSON_OBJECT(members);
}

static json_t *of_stage_list(const hatchery_v1_LanguageStatus *l)
{
        json_t *list = json_array();
        for (size_t i = 0; i < l->stages_count; i++)
                list = json_with(list, of_stage(&l->stages[i]));
        return list;
}

static json_t *of_kind(const hatchery_v1_LanguageStatus *l)
{
        const char *name = l->kind ? kind_name((enum kind)l->kind) : NULL;
        return name ? json_of_string(name) : json_null();
}

/* A field that is a list of words, as a JSON list. */
static json_t *of_words(const char *words, size_t n, size_t room)
{
        json_t *list = json_array();
        for (size_t i = 0; i < n; i++)
                list = json_with(list, json_of_string(words + i * room));
        return list;
}

#define WORDS(field) of_words(field[0], field##_count, sizeof field[0])

static json_t *of_preload(const hatchery_v1_PreloadStatus *p)
{
        const struct json_member members[] = {
                { "name", json_of_string(p->name) },
                { "missing", json_boolean(p->missing) },
                { "first_us", json_of_number(p->first_us) },
                { "again_us", json_of_number(p->again_us) },
        };
        return JSON_OBJECT(members);
}

static json_t *of_preloads(const hatchery_v1_LanguageStatus *l)
{
        json_t *list = json_array();
        for (size_t i = 0; i < l->preloads_count; i++)
                list = json_with(list, of_preload(&l->preloads[i]));
        return list;
}

static json_t *of_results(const hatchery_v1_LanguageStatus *l)
{
        json_t *list = json_array();
        for (size_t i = 0; i < l->results_count; i++) {
                const struct json_member members[] = {
                        { "status", json_of_string(answer_status_name((int)l->results[i].status)) },
                        { "count", json_of_number(l->results[i].count) },
                };
                list = json_with(list, JSON_OBJECT(members));
        }
        return list;
}

static json_t *of_limit(bool is_told, int64_t value)
{
        return is_told ? json_integer(value) : json_null();
}

/* null: the server does not report limits. */
static json_t *of_limits(bool are_told, const hatchery_v1_Limits *l)
{
        if (!are_told)
                return json_null();
        const struct json_member members[] = {
                { "wall_us", of_limit(l->has_wall_us, l->wall_us) },
                { "cpu_us", of_limit(l->has_cpu_us, l->cpu_us) },
                { "memory_bytes", of_limit(l->has_memory_bytes, l->memory_bytes) },
                { "pids", of_limit(l->has_pids, l->pids) },
                { "output_bytes", of_limit(l->has_output_bytes, l->output_bytes) },
                { "disk_bytes", of_limit(l->has_disk_bytes, l->disk_bytes) },
                { "open_files", of_limit(l->has_open_files, l->open_files) },
                { "stack_bytes", of_limit(l->has_stack_bytes, l->stack_bytes) },
        };
        return JSON_OBJECT(members);
}

static json_t *of_language(const hatchery_v1_LanguageStatus *l)
{
        const struct json_member members[] = {
                { "name", json_of_string(l->name) },
                { "version", json_of_string(l->version) },
                { "warm", json_of_number(l->warm) },
                { "running", json_of_number(l->running) },
                { "preparing", json_of_number(l->preparing) },
                { "queued", json_of_number(l->queued) },
                { "runs", json_of_number(l->runs) },
                { "failures", json_of_number(l->failures) },
                { "discarded", json_of_number(l->discarded) },
                { "recycle_p50_us", json_of_number(l->recycle_p50_us) },
                { "recycle_p99_us", json_of_number(l->recycle_p99_us) },
                { "ready", json_boolean(l->ready) },
                { "generation", json_of_number(l->generation) },
                { "forks", json_of_number(l->forks) },
                { "zygotes", json_of_number(l->zygotes) },
                { "stages", of_stage_list(l) },
                { "warm_target", json_of_number(l->warm_target) },
                { "warm_min", json_of_number(l->warm_min) },
                { "warm_max", json_of_number(l->warm_max) },
                { "sandbox_bytes", json_of_number(l->sandbox_bytes) },
                { "kind", of_kind(l) },
                { "aliases", WORDS(l->aliases) },
                { "echoes", json_boolean(l->echoes) },
                { "preloads", of_preloads(l) },
                { "compile_flags", WORDS(l->compile_flags) },
                { "extensions", WORDS(l->extensions) },
                { "interpreters", WORDS(l->interpreters) },
                { "prompts", json_boolean(l->prompts) },
                { "results", of_results(l) },
                { "cache_hits", json_of_number(l->cache_hits) },
                { "cache_misses", json_of_number(l->cache_misses) },
                { "default_limits", of_limits(l->has_default_limits, &l->default_limits) },
                { "max_limits", of_limits(l->has_max_limits, &l->max_limits) },
                { "required", json_boolean(l->required) },
                { "fault", json_of_string(l->fault) },
                { "recycles", json_of_number(l->recycles) },
                { "recycle_sum_us", json_of_number(l->recycle_sum_us) },
                { "max_running", json_of_number(l->max_running) },
        };
        return JSON_OBJECT(members);
}

static json_t *of_languages(const struct answer *a)
{
        json_t *list = json_array();
        for (size_t i = 0; i < a->n_languages; i++)
                list = json_with(list, of_language(&a->languages[i]));
        return list;
}

/* The short form: the facts by which a program chooses a language. */
static json_t *of_language_in_short(const hatchery_v1_LanguageStatus *l, bool verbose)
{
        const struct json_member members[] = {
                { "name", json_of_string(l->name) },
                { "aliases", WORDS(l->aliases) },
                { "kind", of_kind(l) },
                { "version", json_of_string(l->version) },
                { "warm", json_of_number(l->warm) },
                { "extensions", WORDS(l->extensions) },
                { "interpreters", WORDS(l->interpreters) },
        };
        json_t *object = JSON_OBJECT(members);
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
        for (size_t i = 0; i < a->n_languages; i++)
                list = json_with(list, of_language_in_short(&a->languages[i], verbose));
        return list;
}

static json_t *of_refusals(const hatchery_v1_Status *s)
{
        json_t *list = json_array();
        for (size_t i = 0; i < s->refusals_count; i++) {
                const struct json_member members[] = {
                        { "code", json_of_string(answer_code_name((int)s->refusals[i].code)) },
                        { "count", json_of_number(s->refusals[i].count) },
                };
                list = json_with(list, JSON_OBJECT(members));
        }
        return list;
}

static json_t *of_absent(const struct answer *a)
{
        json_t *list = json_array();
        for (size_t i = 0; i < a->n_absent; i++) {
                const struct json_member members[] = {
                        { "name", json_of_string(a->absent[i].name) },
                        { "reason", json_of_string(a->absent[i].reason) },
                        { "required", json_boolean(a->absent[i].required) },
                };
                list = json_with(list, JSON_OBJECT(members));
        }
        return list;
}

json_t *json_of_status(const struct answer *a)
{
        const hatchery_v1_Status *s = &a->m.answer.status;
        const struct json_member members[] = {
                { "server_version", json_of_string(s->server_version) },
                { "uptime_us", json_of_number(s->uptime_us) },
                { "connections", json_of_number(s->connections) },
                { "queued", json_of_number(s->queued) },
                { "ready", json_boolean(s->ready) },
                { "draining", json_boolean(s->draining) },
                { "languages", of_languages(a) },
                { "max_request_bytes", json_of_number(s->max_request_bytes) },
                { "refusals", of_refusals(s) },
                { "started_at_us", json_of_number(s->started_at_us) },
                { "leaving", json_boolean(s->leaving) },
                { "came_up", json_boolean(s->came_up) },
                { "absent", of_absent(a) },
                { "held_bytes", json_of_number(s->held_bytes) },
                { "max_held_bytes", json_of_number(s->max_held_bytes) },
                { "max_queued", json_of_number(s->max_queued) },
        };
        return JSON_OBJECT(members);
}
