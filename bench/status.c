/* Asking the server: see status.h. */
#include "bench/status.h"

#include "client/hatchery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int take(const struct answer *a, const char *language, struct sample_recycle *r, struct err *e)
{
        if (a->m.which_answer != hatchery_v1_ServerMessage_status_tag)
                return err_say(e, EPROTO, "the server does not tell its status");
        for (size_t i = 0; i < a->n_languages; i++) {
                if (strcmp(a->languages[i].name, language) != 0)
                        continue;
                r->p50_us = a->languages[i].recycle_p50_us;
                r->p99_us = a->languages[i].recycle_p99_us;
                return 0;
        }
        return err_say(e, ENOENT, "the server has no language %s", language);
}

static int ask(const char *address, const char *language, struct sample_recycle *r, struct err *e)
{
        const struct request q = { .kind = REQUEST_STATUS };
        struct hatchery_answer a = { 0 };
        struct hatchery *h = NULL;
        int result = hatchery_connect(&h, address, e);
        if (result == 0)
                result = hatchery_call(h, &q, &a, e);
        if (result == HATCHERY_OK)
                result = take(&a.answer, language, r, e);
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
        else if (ask(address, language, r, &e) < 0)
                snprintf(r->reason, sizeof r->reason, "%s", e.text);
        else
                r->measured = true;
}
