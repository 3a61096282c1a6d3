/* The answer to GetStatus: see status.h. */
#include "pool/native/status.h"

#include "pool/base/words.h"
#include "pool/config/config.h"
#include "pool/core/core.h"
#include "pool/core/facts.h"
#include "pool/native/connection.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"
#include "proto/base/utf8.h"
#include "proto/wire/request_limits.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAME(ours, theirs) _Static_assert((int)(ours) == (int)(theirs), #ours " has the same number as " #theirs)

SAME(KIND_FORKED, hatchery_v1_LanguageStatus_Kind_FORKED);
SAME(KIND_PRESTARTED, hatchery_v1_LanguageStatus_Kind_PRESTARTED);
SAME(KIND_COMPILED, hatchery_v1_LanguageStatus_Kind_COMPILED);
SAME(KIND_EXEC, hatchery_v1_LanguageStatus_Kind_EXEC);
SAME(KIND_EXEC, _hatchery_v1_LanguageStatus_Kind_MAX);

#define COUNT_OF(type, field) (sizeof((type *)0)->field / sizeof((type *)0)->field[0])

_Static_assert(COUNT_OF(hatchery_v1_LanguageStatus, stages) >= STAGE_COUNT, "there is room for each stage");
_Static_assert(COUNT_OF(hatchery_v1_StageStatus, buckets) >= STAGE_BOUNDS, "there is room for each bound");
_Static_assert(COUNT_OF(hatchery_v1_LanguageStatus, results) > OUTCOME_CANCELLED, "there is room for each status");
_Static_assert(COUNT_OF(hatchery_v1_AbsentLanguage, name) > WIRE_MAX_LANGUAGE, "a name fits into its field");
_Static_assert(COUNT_OF(hatchery_v1_Status, refusals) >= REFUSAL_CODES, "there is room for each code");
_Static_assert(sizeof((hatchery_v1_PreloadStatus *)0)->name >= sizeof((struct preload_fact *)0)->name,
               "a module's name fits into its field");

enum { STATUS_SERVES_US = 50000 };

/* Leaves out a bound whose count is 0 or the same as that of the bound before. This saves time: nanopb measures a
 * nested message once for each level, and buckets are four levels deep. */
static void fill_buckets(hatchery_v1_StageStatus *out, const struct histogram *h)
{
        uint64_t count[STAGE_BOUNDS], last = 0;

        histogram_cumulate(h, stage_bound_us, STAGE_BOUNDS, count);
        for (int i = 0; i < STAGE_BOUNDS; i++) {
                if (count[i] == last)
                        continue;
                last = count[i];
                out->buckets[out->buckets_count++] =
                        (hatchery_v1_Bucket){ .le_us = stage_bound_us[i], .count = count[i] };
        }
}

static void fill_stages(hatchery_v1_LanguageStatus *out, const struct language_facts *l)
{
        for (int i = 0; i < STAGE_COUNT; i++) {
                const struct histogram *h = &l->stage[i];
                hatchery_v1_StageStatus *stage = &out->stages[i];

                snprintf(stage->name, sizeof stage->name, "%s", stage_name[i]);
                stage->count = h->count;
                stage->sum_us = h->sum;
                stage->p50_us = histogram_quantile(h, 0.50);
                stage->p90_us = histogram_quantile(h, 0.90);
                stage->p99_us = histogram_quantile(h, 0.99);
                stage->max_us = h->max;
                if (h->count > 0) /* an empty histogram is not touched, so its pages take no memory */
                        fill_buckets(stage, h);
        }
        out->stages_count = STAGE_COUNT;
}

/* A field that is a list of words: words that are too long, too many, or present already are left out. */
struct word_list {
        char *at;
        size_t room; /* of one word */
        size_t max;
        pb_size_t *count;
};

#define WORDS(field)                                                                                                   \
        (struct word_list)                                                                                             \
        {                                                                                                              \
                field[0], sizeof field[0], sizeof field / sizeof field[0], &field##_count                              \
        }

static void add_word(const struct word_list *to, const char *word, size_t len)
{
        if (len == 0 || len >= to->room)
                return;
        for (size_t i = 0; i < *to->count; i++) {
                const char *there = to->at + i * to->room;
                if (strlen(there) == len && memcmp(there, word, len) == 0)
                        return;
        }
        if (*to->count < to->max)
                snprintf(to->at + (*to->count)++ * to->room, to->room, "%.*s", (int)len, word);
}

/* Adds the words of a text, separated by spaces. */
static void add_words(const struct word_list *to, const char *text)
{
        struct span word;
        while ((word = words_next(&text)).len > 0)
                add_word(to, (const char *)word.data, word.len);
}

static void fill_flags(hatchery_v1_LanguageStatus *out, const struct language_facts *l)
{
        size_t max = sizeof out->compile_flags / sizeof out->compile_flags[0];
        char *const *form = l->data ? l->data->compile_flags : NULL;
        for (; form && *form && out->compile_flags_count < max; form++)
                snprintf(out->compile_flags[out->compile_flags_count++], sizeof out->compile_flags[0], "%s", *form);
}

/* Adds the command that runs programs of a language that is data. A command that is an artifact, or that can start any
 * program, is left out. */
static void add_command(const struct word_list *to, char *const *line)
{
        const char *slash = line && line[0] ? strrchr(line[0], '/') : NULL;
        const char *name = slash ? slash + 1 : line && line[0] ? line[0] : ".";

        if (line && line[0] && line[0][0] != '.' && strcmp(name, "env") != 0 && strcmp(name, "sh") != 0)
                add_word(to, name, strlen(name));
}

/* Fills in how the language's files are recognised. If one runtime serves under several names, these belong to the
 * language that has the runtime's name. */
static void fill_files(hatchery_v1_LanguageStatus *out, const struct language_facts *l)
{
        const struct config_runtime *data = l->data;
        const struct word_list extensions = WORDS(out->extensions), interpreters = WORDS(out->interpreters);

        if ((!l->known && !data) || l->names_are_others)
                return;
        add_words(&extensions, l->extensions);
        for (char *const *word = data ? data->extensions : NULL; word && *word; word++)
                add_word(&extensions, *word, strlen(*word));
        add_word(&interpreters, l->name, strlen(l->name));
        if (l->config)
                add_word(&interpreters, l->config->runtime, strlen(l->config->runtime));
        add_words(&interpreters, l->aliases);
        if (data)
                add_command(&interpreters, data->run);
}

static void fill_preloads(hatchery_v1_LanguageStatus *out, const struct language_facts *l)
{
        const size_t max = sizeof out->preloads / sizeof out->preloads[0];

        for (size_t i = 0; i < l->n_preloads && i < max; i++) {
                const struct preload_fact *fact = &l->preloads[i];
                hatchery_v1_PreloadStatus *preload = &out->preloads[out->preloads_count++];

                snprintf(preload->name, sizeof preload->name, "%s", fact->name);
                preload->missing = fact->missing;
                preload->first_us = fact->first_us;
                preload->again_us = fact->again_us;
        }
}

static void fill_counts(hatchery_v1_LanguageStatus *out, const struct language_facts *l)
{
        out->warm = l->warm;
        out->running = l->running;
        out->preparing = l->preparing;
        out->zygotes = l->zygotes;
        out->generation = l->generation;
        out->forks = l->forks;
        out->queued = l->queued;
        out->runs = l->runs;
        out->failures = l->failures;
        out->discarded = l->discarded;
        out->warm_target = l->warm_target;
        out->warm_min = l->warm_min;
        out->warm_max = l->warm_max;
        out->sandbox_bytes = l->sandbox_bytes;
        out->recycles = l->recycles;
        out->recycle_sum_us = l->recycle_sum_us;
        out->recycle_p50_us = l->recycle_p50_us;
        out->recycle_p99_us = l->recycle_p99_us;
}

static void fill_results(hatchery_v1_LanguageStatus *out, const struct language_facts *l)
{
        for (int i = 0; i <= OUTCOME_CANCELLED; i++)
                if (l->results[i] > 0)
                        out->results[out->results_count++] =
                                (hatchery_v1_ResultCount){ .status = (hatchery_v1_Result_Status)i,
                                                           .count = l->results[i] };
        out->cache_hits = l->cache_hits;
        out->cache_misses = l->cache_misses;
}

#define LIMIT_FILL(index, field)                                                                                       \
        limits->has_##field = true;                                                                                    \
        limits->field = value[index];

static void fill_limits(hatchery_v1_Limits *limits, const int64_t value[LIMIT_COUNT])
{
        LIMITS(LIMIT_FILL)
}

static void fill(hatchery_v1_LanguageStatus *out, const struct language_facts *l)
{
        snprintf(out->name, sizeof out->name, "%s", l->name);
        snprintf(out->version, sizeof out->version, "%s", l->version);
        out->ready = l->ready;
        snprintf(out->fault, sizeof out->fault, "%s", l->fault ? l->fault : "");
        if (l->config) {
                out->required = l->config->required;
                out->max_running = l->config->running;
        }
        out->kind = (hatchery_v1_LanguageStatus_Kind)l->kind;
        out->echoes = l->echoes;
        out->prompts = l->prompts;
        fill_counts(out, l);
        fill_results(out, l);
        out->has_default_limits = out->has_max_limits = true;
        fill_limits(&out->default_limits, l->standard);
        fill_limits(&out->max_limits, l->ceiling);
        add_words(&WORDS(out->aliases), l->aliases);
        fill_files(out, l);
        fill_flags(out, l);
        fill_preloads(out, l);
        fill_stages(out, l);
}

void status_cache_fini(struct status_cache *c)
{
        free(c->message);
        *c = (struct status_cache){ 0 };
}

static void fill_refusals(hatchery_v1_Status *status, const uint64_t refusals[REFUSAL_CODES])
{
        for (int i = 0; i < REFUSAL_CODES; i++)
                if (refusals[i] > 0)
                        status->refusals[status->refusals_count++] =
                                (hatchery_v1_RefusalCount){ .code = (hatchery_v1_Error_Code)i, .count = refusals[i] };
}

/* NULL: no memory. */
static hatchery_v1_AbsentLanguage *fill_absent(const struct config *config, size_t *n)
{
        hatchery_v1_AbsentLanguage *list = calloc(config->n_absent + 1, sizeof *list);

        for (size_t i = 0; list && i < config->n_absent; i++) {
                const struct config_absent *absent = &config->absent[i];
                if (!absent->configured)
                        continue;
                hatchery_v1_AbsentLanguage *out = &list[(*n)++];
                snprintf(out->name, sizeof out->name, "%s", absent->name);
                snprintf(out->reason, sizeof out->reason, "%s", absent->reason);
                utf8_repair(out->reason);
                out->required = absent->required;
        }
        return list;
}

static void fill_server(hatchery_v1_Status *status, const struct native *n, const struct core_facts *facts)
{
        snprintf(status->server_version, sizeof status->server_version, "%s", HATCHERY_VERSION);
        status->uptime_us = (uint64_t)(clock_us() - n->started_us);
        status->started_at_us = n->started_at_us;
        status->connections = n->n_connections - n->n_doomed;
        status->queued = facts->queued;
        status->max_queued = n->config->max_queue;
        status->ready = facts->ready;
        status->leaving = facts->leaving;
        status->draining = facts->draining;
        status->came_up = facts->came_up;
        status->held_bytes = n->memory->used;
        status->max_held_bytes = n->memory->max;
        status->max_request_bytes = n->config->max_request_bytes;
        fill_refusals(status, facts->refusals);
}

static int encode(const struct native *n, uint8_t **message, size_t *len, struct err *e)
{
        struct answer a = { .m = { .which_answer = hatchery_v1_ServerMessage_status_tag } };
        struct core_facts facts;

        core_facts(n->core, &facts);
        OWN_MEM hatchery_v1_LanguageStatus *languages = calloc(facts.n_languages + 1, sizeof *languages);
        OWN_MEM hatchery_v1_AbsentLanguage *absent = fill_absent(n->config, &a.n_absent);
        if (!languages || !absent)
                return err_set(e, ENOMEM, "a status; try again");
        for (size_t i = 0; i < facts.n_languages; i++) {
                struct language_facts language = { 0 };
                core_language(n->core, i, &language);
                fill(&languages[i], &language);
        }
        a.languages = languages;
        a.n_languages = facts.n_languages;
        a.absent = absent;
        fill_server(&a.m.answer.status, n, &facts);
        return answer_encode(&a, 0, message, len, e);
}

static int renew(struct status_cache *cache, const struct native *n, int64_t now, struct err *e)
{
        status_cache_fini(cache);
        cache->results = n->n_results;
        cache->until_us = now + STATUS_SERVES_US;
        return encode(n, &cache->message, &cache->len, e);
}

void status_answer(struct connection *c, uint64_t id)
{
        struct status_cache *cache = &c->native->last_status;
        const int64_t now = clock_us();
        struct err e = { 0 };

        if ((!cache->message || now >= cache->until_us || cache->results < c->seen_results) &&
            renew(cache, c->native, now, &e) < 0) {
                struct refusal r;
                refuse(&r, REFUSAL_INTERNAL, "%s", e.text);
                connection_refuse(c, id, &r);
                return;
        }
        connection_answer_made(c, id, (struct span){ cache->message, cache->len });
}
