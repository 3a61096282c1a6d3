/* The contract metrics: GET /metrics, the pool's numbers for Prometheus. metrics_families.c says which. */
#include "gateway/contracts/metrics_families.h"
#include "gateway/contracts/metrics_text.h"
#include "gateway/contracts/plain.h"
#include "gateway/run.h"

#include <stdlib.h>

static void told(struct exchange *x, void *data, const struct hatchery_answer *status, const struct failure *why)
{
        char *text = NULL;
        size_t size;

        (void)data;
        if (!status) {
                exchange_fail(x, why);
                return;
        }
        FILE *to = open_memstream(&text, &size);
        if (to) {
                metrics_families(to, &status->answer);
                if (fclose(to) != 0) {
                        free(text);
                        text = NULL;
                }
        }
        plain_reply(x, 200, METRICS_TYPE, text);
}

/* Every client of the listener may read the metrics. An operator can give them a listener of their own. */
static void metrics(struct exchange *x)
{
        run_with_status(x, told, NULL);
}

static const struct route routes[] = {
        { .path = "/metrics", .methods = METHOD_GET | METHOD_HEAD, .handle = metrics },
};

const struct contract contract_metrics = {
        .name = "metrics",
        .routes = routes,
        .n_routes = sizeof routes / sizeof routes[0],
        .fail = plain_fail,
};
