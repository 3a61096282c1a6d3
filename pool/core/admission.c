/* Accepting requests: see scheduler.h. */
#include "pool/core/admission.h"

#include "pool/base/names.h"
#include "pool/core/check.h"
#include "pool/native/connection.h"
#include "pool/sched/language.h"
#include "pool/sched/registry.h"
#include "pool/state.h"
#include "proto/base/clock.h"

#include <stdio.h>

enum { START_RETRY_MS = 500, DRAIN_RETRY_MS = 1000, BROKEN_RETRY_MS = 10000, FLIGHT_RETRY_MS = 10 };

static int unknown_language(const struct pool *p, struct span wanted, struct refusal *refusal)
{
        char known[256] = "";
        size_t n = 0;

        for (size_t i = 0; i < p->n_languages; i++) {
                int added = snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", p->languages[i]->name);
                if (added < 0 || (size_t)added >= sizeof known - n)
                        break;
                n += (size_t)added;
        }
        const struct config_absent *absent = languages_find_absent(p, wanted);
        if (absent)
                return refuse(refusal, REFUSAL_NOT_FOUND, "%s", absent->reason);
        if (wanted.len == 0)
                return refuse(refusal, REFUSAL_NOT_FOUND, "language is empty; this server knows: %s", known);
        return refuse(refusal, REFUSAL_NOT_FOUND, "there is no language %s here; this server knows: %s",
                      names_quote(wanted).text, known);
}

static int not_now(const struct session *s, const struct language *l, struct refusal *refusal)
{
        const struct pool *p = s->pool;

        if (p->draining) {
                int r = refuse(refusal, REFUSAL_UNAVAILABLE,
                               "the server is draining and takes no new work; send it elsewhere or later");
                refusal->retry_after_ms = DRAIN_RETRY_MS;
                return r;
        }
        if (s->in_flight >= p->config.max_in_flight) {
                int r = refuse(
                        refusal, REFUSAL_RESOURCE_EXHAUSTED,
                        "%u requests of this connection are in flight, and %u are possible; wait for an answer first",
                        s->in_flight, p->config.max_in_flight);
                refusal->retry_after_ms = FLIGHT_RETRY_MS;
                return r;
        }
        if (budget_is_over(&p->memory)) {
                int r = refuse(
                        refusal, REFUSAL_RESOURCE_EXHAUSTED,
                        "all clients together make this server hold as much memory as it may; try again later, and "
                        "read answers as they come");
                refusal->retry_after_ms =
                        l ? stats_retry_after_ms(&l->stats, l->lane.count + 1, clock_us()) : START_RETRY_MS;
                return r;
        }
        return 0;
}

int scheduler_refuse_broken(const struct language *l, struct refusal *refusal)
{
        int r = refuse(refusal, REFUSAL_UNAVAILABLE,
                       "the language %s does not come up on this server, whose log says why; tell its operator",
                       l->name);
        refusal->retry_after_ms = BROKEN_RETRY_MS;
        return r;
}

static int check(const struct pool *p, const struct language *l, const struct submission *x, struct check_plan *plan,
                 struct refusal *refusal)
{
        const struct check_rules rules = {
                .main_file = l->main_file,
                .echoes = l->echoes,
                .standard = l->standard,
                .ceiling = l->ceiling,
                /* What was started ahead; the kernel sets no limit below it. A quarter more, since one is not like
                   another. */
                .held_bytes = l->kind == KIND_PRESTARTED ? l->scale.bytes + l->scale.bytes / 4 : 0,
                .compiled = language_is_compiled(l),
                .compile_standard = l->compile.standard,
                .compile_ceiling = l->compile.ceiling,
                .compile_flags = l->compile.runtime ? l->compile.runtime->compile_flags : NULL,
                .collect_max_files = p->config.collect_max_files,
                .collect_max_bytes = p->config.collect_max_bytes,
        };
        return check_execute(x, &rules, plan, refusal);
}

/* A name that no language has yet, and that none is known not to have. */
static bool may_be_an_alias(struct pool *p, struct span name)
{
        return name.len > 0 && !languages_find_absent(p, name) && languages_first_unnamed(p);
}

int scheduler_check(struct pool *p, const struct language *l, const struct submission *x, struct check_plan *plan,
                    struct refusal *refusal)
{
        if (!l)
                return may_be_an_alias(p, x->language) ? SCHEDULER_EARLY : unknown_language(p, x->language, refusal);
        if (l->broken && !language_current(l))
                return scheduler_refuse_broken(l, refusal);
        if (!l->known)
                return SCHEDULER_EARLY;
        return check(p, l, x, plan, refusal);
}

void scheduler_execute(struct session *s, struct request *request, uint8_t **buffer, size_t buffer_len)
{
        struct language *l = languages_find(s->pool, request->execute.language);
        struct check_plan plan;
        struct refusal refusal;
        struct run *run = NULL;
        uint64_t id = request->id;
        struct err e = { 0 };

        int r = not_now(s, l, &refusal);
        if (r == 0)
                r = scheduler_check(s->pool, l, &request->execute, &plan, &refusal);
        bool early = r == SCHEDULER_EARLY;
        if (early && !l)
                l = languages_first_unnamed(s->pool);
        if (early)
                r = 0;
        if (r == 0 && run_new(&run, s, l, request, buffer, buffer_len, early ? NULL : &plan, &e) < 0)
                r = refuse(&refusal, REFUSAL_RESOURCE_EXHAUSTED, "%s; try again later", e.text);
        if (r == 0)
                r = run_enqueue(run, &refusal);
        if (r == 0)
                language_kick(l);
        else if (run)
                run_refuse(run, &refusal);
        else
                session_refuse(s, id, &refusal);
}
