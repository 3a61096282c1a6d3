/* The answer to GetStatus: see status.h. */
#include "pool/native/status.h"

#include "pool/native/connection.h"
#include "pool/sched/language.h"
#include "pool/sched/registry.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof((hatchery_v1_LanguageStatus *)0)->preloads == sizeof((struct language *)0)->preloads,
               "there is room for each module");
_Static_assert(sizeof((hatchery_v1_LanguageStatus *)0)->stages / sizeof(hatchery_v1_StageStatus) >= STAGE_COUNT,
               "there is room for each stage");

enum { STATUS_SERVES_US = 50000 };

static void fill_stages(hatchery_v1_LanguageStatus *out, const struct stats *s)
{
        for (int i = 0; i < STAGE_COUNT; i++) {
                const struct histogram *h = &s->stage[i];
                hatchery_v1_StageStatus *stage = &out->stages[i];

                snprintf(stage->name, sizeof stage->name, "%s", stage_name[i]);
                stage->count = h->count;
                stage->sum_us = h->sum;
                stage->p50_us = histogram_quantile(h, 0.50);
                stage->p90_us = histogram_quantile(h, 0.90);
                stage->p99_us = histogram_quantile(h, 0.99);
                stage->max_us = h->max;
        }
        out->stages_count = STAGE_COUNT;
}

/* A field that is a list of words: those that are too long, too many, or there already, are left out. */
struct words {
        char *at;
        size_t room; /* of one word */
        size_t max;
        pb_size_t *count;
};

#define WORDS(field)                                                                                                   \
        (struct words)                                                                                                 \
        {                                                                                                              \
                field[0], sizeof field[0], sizeof field / sizeof field[0], &field##_count                              \
        }

static void add_word(const struct words *to, const char *word, size_t len)
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

/* Of a text with spaces between. */
static void add_words(const struct words *to, const char *text)
{
        for (; *text; text += strspn(text, " ")) {
                size_t len = strcspn(text, " ");
                add_word(to, text, len);
                text += len;
        }
}

static void fill_flags(hatchery_v1_LanguageStatus *out, const struct language *l)
{
        size_t max = sizeof out->compile_flags / sizeof out->compile_flags[0];
        char *const *form = l->compile.runtime ? l->compile.runtime->compile_flags : NULL;
        for (; form && *form && out->compile_flags_count < max; form++)
                snprintf(out->compile_flags[out->compile_flags_count++], sizeof out->compile_flags[0], "%s", *form);
}

/* The command that runs programs of a language that is data; not what a compiler has made, nor what starts anything. */
static void add_command(const struct words *to, char *const *line)
{
        const char *slash = line && line[0] ? strrchr(line[0], '/') : NULL;
        const char *name = slash ? slash + 1 : line && line[0] ? line[0] : ".";

        if (line && line[0] && line[0][0] != '.' && strcmp(name, "env") != 0 && strcmp(name, "sh") != 0)
                add_word(to, name, strlen(name));
}

/* By what its files are told. Where one runtime serves under several names, they are those of the language that is
 * called as the runtime is. */
static void fill_files(hatchery_v1_LanguageStatus *out, const struct language *l)
{
        const struct config_runtime *data = l->compile.runtime;
        const struct config_language *config = config_find_language(&l->pool->config, l->name);
        const struct words extensions = WORDS(out->extensions), interpreters = WORDS(out->interpreters);

        if ((!l->known && !data) ||
            (l->is_profile && config && config_find_language(&l->pool->config, config->runtime)))
                return;
        add_words(&extensions, l->extensions);
        for (char *const *word = data ? data->extensions : NULL; word && *word; word++)
                add_word(&extensions, *word, strlen(*word));
        add_word(&interpreters, l->name, strlen(l->name));
        if (config)
                add_word(&interpreters, config->runtime, strlen(config->runtime));
        add_words(&interpreters, l->aliases);
        if (data)
                add_command(&interpreters, data->run);
}

static void fill(hatchery_v1_LanguageStatus *out, const struct language *l)
{
        const struct zygote *current = language_current(l), *z;

        snprintf(out->name, sizeof out->name, "%s", l->name);
        snprintf(out->version, sizeof out->version, "%s", l->version);
        TAILQ_FOREACH(z, &l->zygotes, link)
        {
                out->warm += z->slots.count[SLOT_WARM];
                out->running += z->slots.busy;
                out->preparing += z->slots.count[SLOT_PREPARING];
                out->zygotes++;
        }
        out->ready = l->ready;
        out->generation = current ? current->generation : 0;
        out->forks = current ? current->forks : 0;
        out->queued = l->lane.count;
        out->runs = l->stats.runs;
        out->failures = l->stats.failures;
        out->discarded = l->stats.discarded;
        out->warm_target = l->scale.target;
        out->warm_min = l->scale.min;
        out->warm_max = l->scale.max;
        out->sandbox_bytes = l->scale.bytes;
        out->kind = (hatchery_v1_LanguageStatus_Kind)l->kind;
        out->echoes = l->echoes;
        add_words(&WORDS(out->aliases), l->aliases);
        fill_files(out, l);
        fill_flags(out, l);
        memcpy(out->preloads, l->preloads, l->n_preloads * sizeof l->preloads[0]);
        out->preloads_count = (pb_size_t)l->n_preloads;
        out->recycle_p50_us = stats_recycle_percentile(&l->stats, 50);
        out->recycle_p99_us = stats_recycle_percentile(&l->stats, 99);
        fill_stages(out, &l->stats);
}

void status_cache_fini(struct status_cache *c)
{
        free(c->message);
        *c = (struct status_cache){ 0 };
}

static int encode(const struct pool *p, uint8_t **message, size_t *len, struct err *e)
{
        struct answer a = { .m = { .which_answer = hatchery_v1_ServerMessage_status_tag } };
        hatchery_v1_Status *status = &a.m.answer.status;

        OWN_MEM hatchery_v1_LanguageStatus *languages = calloc(p->n_languages + 1, sizeof *languages);
        if (!languages)
                return err_set(e, ENOMEM, "a status; try again");
        for (size_t i = 0; i < p->n_languages; i++)
                fill(&languages[i], p->languages[i]);
        a.languages = languages;
        a.n_languages = p->n_languages;

        snprintf(status->server_version, sizeof status->server_version, "%s", HATCHERY_VERSION);
        status->uptime_us = (uint64_t)(clock_us() - p->started_us);
        status->connections = p->n_sessions - p->n_doomed;
        status->queued = p->queue.count;
        status->ready = p->was_ready && languages_are_ready(p);
        status->draining = p->draining;
        status->max_request_bytes = p->config.max_request_bytes;
        return answer_encode(&a, 0, message, len, e);
}

static int renew(struct status_cache *c, const struct pool *p, int64_t now, struct err *e)
{
        status_cache_fini(c);
        c->results = p->n_results;
        c->until_us = now + STATUS_SERVES_US;
        return encode(p, &c->message, &c->len, e);
}

void status_answer(struct session *s, uint64_t id)
{
        struct pool *p = s->pool;
        struct status_cache *c = &p->last_status;
        const int64_t now = clock_us();
        struct err e = { 0 };

        if ((!c->message || now >= c->until_us || c->results < s->seen_results) && renew(c, p, now, &e) < 0) {
                struct refusal r;
                refuse(&r, REFUSAL_INTERNAL, "%s", e.text);
                session_refuse(s, id, &r);
                return;
        }
        session_answer_made(s, id, (struct span){ c->message, c->len });
}
