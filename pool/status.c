/* The answer to GetStatus: see status.h. */
#include "pool/status.h"

#include "pool/clock.h"
#include "pool/language.h"
#include "pool/languages.h"
#include "pool/session.h"
#include "proto/own.h"
#include "proto/wire.h"

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

/* Words separated by spaces; those that are too long or too many are left out. */
static void fill_aliases(hatchery_v1_LanguageStatus *out, const char *text)
{
        size_t max = sizeof out->aliases / sizeof out->aliases[0], room = sizeof out->aliases[0];
        for (; *text && out->aliases_count < max; text += strspn(text, " ")) {
                size_t len = strcspn(text, " ");
                if (len > 0 && len < room)
                        snprintf(out->aliases[out->aliases_count++], room, "%.*s", (int)len, text);
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
        fill_aliases(out, l->aliases);
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
                refuse(&r, hatchery_v1_Error_Code_INTERNAL, "%s", e.text);
                session_refuse(s, id, &r);
                return;
        }
        session_answer_made(s, id, (struct span){ c->message, c->len });
}
