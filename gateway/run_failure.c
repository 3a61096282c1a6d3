/* Turns refusals of the pool, and lost connections to it, into HTTP statuses: see run_parts.h. */
#include "gateway/run_parts.h"

struct row {
        hatchery_v1_Error_Code code;
        int status;
};

static const struct row rows[] = {
        { hatchery_v1_Error_Code_CANCELLED, 499 },         { hatchery_v1_Error_Code_INVALID_ARGUMENT, 400 },
        { hatchery_v1_Error_Code_DEADLINE_EXCEEDED, 504 }, { hatchery_v1_Error_Code_NOT_FOUND, 404 },
        { hatchery_v1_Error_Code_PERMISSION_DENIED, 403 }, { hatchery_v1_Error_Code_RESOURCE_EXHAUSTED, 429 },
        { hatchery_v1_Error_Code_ABORTED, 409 },           { hatchery_v1_Error_Code_UNIMPLEMENTED, 501 },
        { hatchery_v1_Error_Code_INTERNAL, 500 },          { hatchery_v1_Error_Code_UNAVAILABLE, 503 },
        { hatchery_v1_Error_Code_UNAUTHENTICATED, 401 },
};

static int status_of(hatchery_v1_Error_Code code)
{
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
                if (rows[i].code == code)
                        return rows[i].status;
        return 500;
}

void failure_of_refusal(struct failure *why, const struct hatchery_refusal *refusal)
{
        const bool is_away = refusal->code == hatchery_v1_Error_Code_UNAVAILABLE;

        failure_set(why, status_of(refusal->code), answer_code_name((int)refusal->code), "%s", refusal->message);
        why->retry_after_ms = refusal->retry_after_ms;
        if (is_away && why->retry_after_ms == 0)
                why->retry_after_ms = RUN_RETRY_MS;
}

void failure_of_loss(struct failure *why, const struct hatchery_failure *f)
{
        if (f->kind == HATCHERY_DEADLINE) {
                failure_set(why, 504, "DEADLINE_EXCEEDED", "the deadline has passed, and there is no answer");
                return;
        }
        if (f->has_refusal && f->refusal.code != hatchery_v1_Error_Code_INVALID_ARGUMENT) {
                failure_of_refusal(why, &f->refusal);
                why->status = 503;
        } else if (f->may_have_run) {
                failure_set(why, 503, "UNAVAILABLE",
                            "the server lost its sandboxes while this ran, so its result is lost; send it again");
        } else {
                failure_set(why, 503, "UNAVAILABLE",
                            "the server can't reach its sandboxes at present; send this again");
        }
        if (why->retry_after_ms == 0)
                why->retry_after_ms = RUN_RETRY_MS;
}

void failure_of_oddity(struct failure *why)
{
        failure_set(why, 500, "INTERNAL", "the pool's answer is of a kind that does not belong to this request");
}
