/* The contract health: what load balancers and supervisors of processes ask. Every listener serves it. /livez says that
 * this worker answers. /readyz says whether requests should be sent here: see readiness.h. */
#include "gateway/contracts/plain.h"
#include "gateway/contracts/readiness.h"
#include "gateway/run.h"

#include <stdlib.h>
#include <string.h>

/* Takes over the text. NULL: no memory. */
static void reply(struct exchange *x, bool is_ready, char *text)
{
        plain_reply(x, is_ready ? 200 : 503, PLAIN_TEXT, text);
}

static void livez(struct exchange *x)
{
        reply(x, true, strdup("ok\n"));
}

static void tell(struct exchange *x, bool is_verbose, const struct hatchery_answer *status, const struct failure *why)
{
        char *text = NULL;
        size_t size;
        FILE *to = open_memstream(&text, &size);
        bool is_ready = false;

        if (!to) {
                reply(x, false, NULL);
                return;
        }
        if (status)
                is_ready = readiness_check(&status->answer, is_verbose ? READINESS_ALL : READINESS_FAILED, to);
        else
                readiness_line(to, "pool", why->message);
        if (is_verbose || !is_ready)
                fprintf(to, "readyz check %s\n", is_ready ? "passed" : "failed");
        else
                fputs("ok\n", to);
        if (fclose(to) != 0) {
                free(text);
                text = NULL;
        }
        reply(x, is_ready, text);
}

static void told(struct exchange *x, void *data, const struct hatchery_answer *status, const struct failure *why)
{
        (void)data;
        tell(x, exchange_query(x, "verbose") != NULL, status, why);
}

static void readyz(struct exchange *x)
{
        run_with_status(x, told, NULL);
}

enum { READ = METHOD_GET | METHOD_HEAD };

static const struct route routes[] = {
        { .path = "/livez", .methods = READ, .handle = livez },
        { .path = "/readyz", .methods = READ, .handle = readyz },
};

const struct contract contract_health = {
        .name = "health",
        .routes = routes,
        .n_routes = sizeof routes / sizeof routes[0],
        .fail = plain_fail,
};
