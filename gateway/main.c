/* Puts the worker's parts together: the contracts, and the connections to the pool. gateway_serve (worker.h) runs the
 * process. */
#include "gateway/json.h"
#include "gateway/run.h"
#include "gateway/worker.h"

static int start(struct gateway *g, void **state, struct err *e)
{
        const struct gateway_options *o = gateway_options(g);
        struct runs *all = NULL;

        json_prepare();
        int r = runs_new(&all, gateway_base(g), o->pool, o->max_request_bytes, e);
        *state = all;
        return r;
}

static void stop(void *state)
{
        runs_free(state);
}

struct runs *gateway_runs(const struct gateway *g)
{
        return gateway_state(g);
}

int gateway_main(const struct gateway_options *o)
{
        static const struct contract *const contracts[] = {
                &contract_v1,      &contract_snekbox, &contract_piston, &contract_sandboxfusion,
                &contract_metrics, &contract_health,
        };
        static const struct gateway_parts parts = {
                .contracts = contracts,
                .n_contracts = sizeof contracts / sizeof contracts[0],
                .start = start,
                .stop = stop,
                .confined = true,
        };
        return gateway_serve(o, &parts);
}
