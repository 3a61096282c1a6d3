/* Requests and verdicts: see asking.h. */
#include "bench/load/asking.h"

#include <inttypes.h>

const struct program *asking_program(const struct asking *a, uint64_t number)
{
        const struct workload *w = &workload_table[a->id];
        return &a->programs[w->every > 0 && number % w->every == 0 ? w->other : a->id];
}

struct request asking_request(const struct asking *a, uint64_t number)
{
        const struct program *p = asking_program(a, number);
        struct request q = {
                .id = number,
                .kind = REQUEST_EXECUTE,
                .execute = { .language = span_of_text(p->w->language),
                             .has_code = true,
                             .code = span_of_text(p->code),
                             .standard_input = { (const uint8_t *)p->in, p->in_len } },
        };
        q.execute.has_limit[LIMIT_WALL] = p->w->wall_us > 0;
        q.execute.limit[LIMIT_WALL] = p->w->wall_us;
        return q;
}

static bool ended_as_it_must(const struct workload *w, const hatchery_v1_Result *r)
{
        if (w->times_out)
                return r->status == hatchery_v1_Result_Status_TIME_LIMIT;
        if (w->signal != 0)
                return r->status == hatchery_v1_Result_Status_SIGNALED && r->signal == w->signal;
        return r->status == hatchery_v1_Result_Status_EXITED && r->exit_code == 0;
}

void asking_judge(const struct asking *a, uint64_t number, const struct answer *answer, struct sample *s,
                  const struct window *window, uint64_t began_ns, uint64_t ended_ns)
{
        const struct program *p = asking_program(a, number);
        const hatchery_v1_ServerMessage *m = &answer->m;
        const hatchery_v1_Result *r = &m->answer.result;
        if (m->id != number)
                sample_wrong(s, "the answer is to request %" PRIu64 ", but %" PRIu64 " was asked", m->id, number);
        else if (m->which_answer == hatchery_v1_ServerMessage_error_tag)
                sample_wrong(s, "%s: %s", answer_code_name((int)m->answer.error.code), m->answer.error.message);
        else if (m->which_answer != hatchery_v1_ServerMessage_result_tag)
                sample_wrong(s, "the answer is neither a result nor an error");
        else if (!ended_as_it_must(p->w, r))
                sample_wrong(s, "the run of %s ended as %s with exit code %d and signal %d", p->w->name,
                             answer_status_name((int)r->status), (int)r->exit_code, (int)r->signal);
        else if (!program_answered(p, answer->out.data, answer->out.len) || answer->err.len > 0)
                sample_wrong(s,
                             "the program answered %zu bytes of standard output and %zu of standard error, not what "
                             "it must",
                             answer->out.len, answer->err.len);
        else
                sample_right(s, window, began_ns, ended_ns);
}
