/* Asking the server: see status.h. */
#include "bench/base/status.h"

#include "client/hatchery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const hatchery_v1_LanguageStatus *find(const struct answer *a, const char *language, struct err *e)
{
        if (a->m.which_answer != hatchery_v1_ServerMessage_status_tag) {
                err_say(e, EPROTO, "the server does not report its status");
                return NULL;
        }
        for (size_t i = 0; i < a->n_languages; i++)
                if (strcmp(a->languages[i].name, language) == 0)
                        return &a->languages[i];
        (void)err_say(e, ENOENT, "the server has no language %s", language);
        return NULL;
}

static void take_warm(const hatchery_v1_LanguageStatus *l, void *out)
{
        unsigned *warm = out;
        *warm = l->warm;
}

static void take_recycle(const hatchery_v1_LanguageStatus *l, void *out)
{
        struct sample_recycle *r = out;
        r->p50_us = l->recycle_p50_us;
        r->p99_us = l->recycle_p99_us;
}

static void take_stages(const hatchery_v1_LanguageStatus *l, void *out)
{
        struct sample_stages *s = out;
        s->n = l->stages_count < SAMPLE_STAGES ? l->stages_count : SAMPLE_STAGES;
        for (unsigned i = 0; i < s->n; i++) {
                const hatchery_v1_StageStatus *from = &l->stages[i];
                snprintf(s->stage[i].name, sizeof s->stage[i].name, "%s", from->name);
                s->stage[i].count = from->count;
                s->stage[i].sum_us = from->sum_us;
                s->stage[i].p50_us = from->p50_us;
                s->stage[i].p90_us = from->p90_us;
                s->stage[i].p99_us = from->p99_us;
                s->stage[i].max_us = from->max_us;
        }
}

static void take_language(const hatchery_v1_LanguageStatus *l, void *out)
{
        struct status_language *s = out;
        s->kind = (uint32_t)l->kind;
        snprintf(s->version, sizeof s->version, "%s", l->version);
        s->sandbox_bytes = l->sandbox_bytes;
        size_t n = 0;
        for (unsigned i = 0; i < l->preloads_count && n < sizeof s->preload; i++)
                if (!l->preloads[i].missing)
                        n += (size_t)snprintf(s->preload + n, sizeof s->preload - n, "%s%s", n > 0 ? " " : "",
                                              l->preloads[i].name);
        for (unsigned i = 0; i < l->stages_count; i++)
                if (strcmp(l->stages[i].name, "refill") == 0)
                        s->refill_us = l->stages[i].p50_us;
}

static int ask(const char *address, const char *language, void (*take)(const hatchery_v1_LanguageStatus *l, void *out),
               void *out, struct err *e)
{
        const struct request q = { .kind = REQUEST_STATUS };
        struct hatchery_answer a = { 0 };
        struct hatchery *h = NULL;
        int result = hatchery_connect(&h, address, e);
        if (result == 0)
                result = hatchery_call(h, &q, &a, e);
        if (result == HATCHERY_OK) {
                const hatchery_v1_LanguageStatus *l = find(&a.answer, language, e);
                if (l)
                        take(l, out);
                result = l ? 0 : -e->code;
        }
        hatchery_answer_fini(&a);
        hatchery_close(h);
        return result;
}

void status_recycle(const char *address, const char *language, uint64_t runs, struct sample_recycle *r)
{
        struct err e = { 0 };
        *r = (struct sample_recycle){ 0 };
        if (runs < STATUS_RECYCLED)
                snprintf(r->reason, sizeof r->reason, "%" PRIu64 " runs, and the server's figures are about %d", runs,
                         STATUS_RECYCLED);
        else if (ask(address, language, take_recycle, r, &e) < 0)
                snprintf(r->reason, sizeof r->reason, "%s", e.text);
        else
                r->measured = true;
}

int status_warm(const char *address, const char *language, unsigned *warm, struct err *e)
{
        return ask(address, language, take_warm, warm, e);
}

int status_of_language(const char *address, const char *language, struct status_language *out, struct err *e)
{
        *out = (struct status_language){ 0 };
        return ask(address, language, take_language, out, e);
}

int status_stages(const char *address, const char *language, struct sample_stages *s, struct err *e)
{
        *s = (struct sample_stages){ 0 };
        return ask(address, language, take_stages, s, e);
}

struct sample_stages status_between(const struct sample_stages *before, const struct sample_stages *after)
{
        struct sample_stages s = { 0 };
        if (before->n != after->n)
                return s;
        s.n = after->n;
        for (unsigned i = 0; i < s.n; i++) {
                snprintf(s.stage[i].name, sizeof s.stage[i].name, "%s", after->stage[i].name);
                s.stage[i].count = after->stage[i].count - before->stage[i].count;
                s.stage[i].sum_us = after->stage[i].sum_us - before->stage[i].sum_us;
        }
        return s;
}
