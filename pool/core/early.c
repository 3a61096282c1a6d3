/* Requests that come early: see early.h. */
#include "pool/core/early.h"

#include "pool/core/admission.h"
#include "pool/core/run.h"
#include "pool/native/connection.h"
#include "pool/sched/language.h"
#include "pool/sched/registry.h"
#include "pool/state.h"

#include <stddef.h>

/* All that wait unexamined, in one list that takes no memory. The sessions have their newest runs foremost, so the
 * oldest come first here, and keep their order where they wait in another place. */
static struct run *find_early(struct pool *p)
{
        struct run *first = NULL, *r;
        struct session *s;

        LIST_FOREACH(s, &p->sessions, link)
        LIST_FOREACH(r, &s->runs, of_session)
        {
                if (r->planned)
                        continue;
                r->next_early = first;
                first = r;
        }
        return first;
}

/* 0, or REFUSED. */
static int settle(struct run *r, struct refusal *refusal)
{
        const struct submission *x = &r->request.execute;
        struct language *l = languages_find(r->pool, x->language), *waits_for;
        struct check_plan plan;

        int n = scheduler_check(r->pool, l, x, &plan, refusal);
        if (n == REFUSED)
                return REFUSED;
        waits_for = l ? l : languages_first_unnamed(r->pool);
        if (waits_for != r->language && run_move(r, waits_for) < 0)
                return refuse(refusal, REFUSAL_RESOURCE_EXHAUSTED, "the server is out of memory; try again later");
        if (n == 0)
                run_plan(r, &plan);
        return 0;
}

void early_settle(struct pool *p)
{
        struct run *r = find_early(p), *next;
        struct refusal refusal;

        for (; r; r = next) {
                next = r->next_early;
                if (settle(r, &refusal) == REFUSED)
                        run_refuse(r, &refusal);
        }
}
