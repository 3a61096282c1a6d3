/* Admission: see admission.h. */
#include "pool/core/admission.h"

#include "pool/base/names.h"
#include "pool/core/core_parts.h"
#include "pool/sched/language.h"
#include "proto/base/clock.h"

#include <stdio.h>

enum { START_RETRY_MS = 500, DRAIN_RETRY_MS = 1000, BROKEN_RETRY_MS = 10000 };

static int unknown_language(const struct core *c, struct span wanted, struct refusal *refusal)
{
        const struct sched *s = &c->sched;
        char known[256] = "";
        size_t n = 0;

        for (size_t i = 0; i < s->n_languages; i++) {
                int added = snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", s->languages[i]->name);
                if (added < 0 || (size_t)added >= sizeof known - n)
                        break;
                n += (size_t)added;
        }
        const struct config_absent *absent = sched_find_absent(s, wanted);
        if (absent)
                return refuse(refusal, REFUSAL_NOT_FOUND, "%s", absent->reason);
        if (wanted.len == 0)
                return refuse(refusal, REFUSAL_NOT_FOUND, "language is empty; this server knows: %s", known);
        return refuse(refusal, REFUSAL_NOT_FOUND, "there is no language %s here; this server knows: %s",
                      names_quote(wanted).text, known);
}

int admission_now(const struct core *c, const struct language *l, struct refusal *refusal)
{
        if (c->draining) {
                int r = refuse(refusal, REFUSAL_UNAVAILABLE,
                               "the server is draining and takes no new work; send it elsewhere or later");
                refusal->retry_after_ms = DRAIN_RETRY_MS;
                return r;
        }
        if (budget_is_over(c->memory)) {
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

int admission_refuse_broken(const struct language *l, struct refusal *refusal)
{
        int r = refuse(refusal, REFUSAL_UNAVAILABLE,
                       "the language %s can't be started on this server; its log has the reason; tell the operator",
                       l->name);
        refusal->retry_after_ms = BROKEN_RETRY_MS;
        return r;
}

static int check(const struct core *c, const struct language *l, const struct submission *s, struct check_plan *plan,
                 struct refusal *refusal)
{
        const struct check_rules rules = {
                .main_file = l->main_file,
                .echoes = l->echoes,
                .prompts = l->prompts,
                .starts_fresh = l->starts_fresh,
                .standard = l->standard,
                .ceiling = l->ceiling,
                /* The memory that a prestarted program holds, and a quarter more, since such programs differ. The
                 * kernel accepts no limit below the held memory. */
                .held_bytes = l->kind == KIND_PRESTARTED ? l->scale.bytes + l->scale.bytes / 4 : 0,
                .compiled = language_is_compiled(l),
                .compile_standard = l->compile.standard,
                .compile_ceiling = l->compile.ceiling,
                .compile_flags = l->compile.runtime ? l->compile.runtime->compile_flags : NULL,
                .collect_max_files = c->config->collect_max_files,
                .collect_max_bytes = c->config->collect_max_bytes,
        };
        return check_execute(s, &rules, plan, refusal);
}

/* True for a name that no language has yet, while a language has not reported its names. */
static bool may_be_an_alias(const struct core *c, struct span name)
{
        return name.len > 0 && !sched_find_absent(&c->sched, name) && sched_first_unnamed(&c->sched);
}

int admission_check(const struct core *c, const struct language *l, const struct submission *s, struct check_plan *plan,
                    struct refusal *refusal)
{
        if (!l)
                return may_be_an_alias(c, s->language) ? ADMISSION_EARLY : unknown_language(c, s->language, refusal);
        if (l->broken && !language_current(l))
                return admission_refuse_broken(l, refusal);
        if (!l->known)
                return ADMISSION_EARLY;
        return check(c, l, s, plan, refusal);
}
