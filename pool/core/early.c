/* Submissions that come early: see early.h. */
#include "pool/core/early.h"

#include "pool/core/admission.h"
#include "pool/core/core_parts.h"
#include "pool/core/execution.h"

/* Examines an early submission. 0: it waits for its slot, or still for its language. REFUSED: refusal says why. */
static int settle(struct execution *x, struct refusal *refusal)
{
        const struct sched *s = &x->core->sched;
        struct language *l = sched_find(s, x->submission.language), *waits_for;
        struct check_plan plan;

        int n = admission_check(x->core, l, &x->submission, &plan, refusal);
        if (n == REFUSED)
                return REFUSED;
        waits_for = l ? l : sched_first_unnamed(s);
        if (waits_for != x->language && execution_move(x, waits_for) < 0)
                return refuse(refusal, REFUSAL_RESOURCE_EXHAUSTED, "the server is out of memory; try again later");
        if (n == 0)
                execution_plan(x, &plan);
        return 0;
}

void early_settle(struct core *c)
{
        struct execution *x;
        struct refusal refusal;
        struct walk w;

        walk_begin(&w, c);
        while ((x = walk_next(&w)))
                if (!x->planned && settle(x, &refusal) == REFUSED)
                        execution_refuse(x, &refusal);
        walk_end(&w);
}
