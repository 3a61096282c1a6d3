/* Rows over HTTP: see rounds_http.h. */
#include "bench/rounds_http.h"

#include "bench/base/clock.h"
#include "bench/base/server.h"
#include "bench/base/usage.h"
#include "bench/http/load.h"

#include <errno.h>
#include <stdio.h>

enum { IDLE_URL_SIZE = 512 };

int rounds_http_load(const struct rounds *plan, const struct row *row, struct sample *s, struct err *e)
{
        const struct http_asking asking = { .client = plan->http,
                                            .address = plan->http_address,
                                            .contract = row->contract,
                                            .program = &plan->programs[row->program] };
        /* The whole upload, and the answer to it, lie in the window. */
        const uint64_t upload_ns = (HTTP_UPLOAD_SECONDS + 1) * CLOCK_SECOND;
        const struct http_closed how = {
                .connections = row->parallel,
                .fresh = row->fresh,
                .uploads = row->uploads,
                .span = { .warm_ns = plan->warm_ns, .measure_ns = row->uploads ? upload_ns : plan->measure_ns },
        };
        switch (row->load) {
        case LOAD_PACED:
                return http_paced(s, &asking, &plan->pace, e);
        case LOAD_FIRST:
                return http_first_byte(s, &asking, &plan->pace, e);
        case LOAD_ONCE:
                return http_once(s, &asking, row->parallel, e);
        default:
                return http_closed(s, &asking, &how, e);
        }
}

/* Makes one run first, so that the worker has allocated all that it allocates only once. */
static int one_run(const struct rounds *plan, const struct row *row, const char *address, struct sample *s,
                   struct err *e)
{
        const struct http_asking asking = { .client = plan->http,
                                            .address = address,
                                            .program = &plan->programs[row->program] };
        const struct pace once = { .runs = 1 };
        return http_paced(s, &asking, &once, e);
}

/* Measures the memory of idle connections. If the server has closed some of them, there is no figure. The number of the
 * gateway's open descriptors shows whether it holds all of them. */
static int hold(const struct rounds *plan, const struct row *row, const struct server *server, struct sample *s,
                struct err *e)
{
        char url[IDLE_URL_SIZE];
        struct http *h = NULL;
        uint64_t before = 0, after = 0;
        unsigned few = 0, many = 0;

        snprintf(url, sizeof url, "%s/v1/languages", server->http);
        int r = one_run(plan, row, server->http, s, e);
        if (r == 0)
                r = plan->http->open(&h, url, e);
        clock_sleep(plan->settle_ns);
        if (r == 0 && !usage_gateway(server->pid, &before, &few))
                r = err_say(e, ESRCH, "find the gateway's workers in /proc");
        if (r == 0)
                r = plan->http->hold(h, row->parallel, e);
        clock_sleep(plan->settle_ns);
        if (r == 0 && !usage_gateway(server->pid, &after, &many))
                r = err_say(e, ESRCH, "find the gateway's workers in /proc");
        if (r == 0 && many < few + row->parallel - 1) /* the first run's own connection may be closed by now */
                sample_wrong(s, "the gateway holds %u connections, and not %u", many - few, row->parallel);
        else if (r == 0)
                s->idle = (struct sample_idle){ row->parallel, before, after };
        plan->http->free(h);
        return r;
}

int rounds_http_idle(const struct rounds *plan, const struct row *row, struct sample *s, struct err *e)
{
        struct server server;
        struct err at_end = { 0 };
        const struct server_options options = { .language = workload_table[row->program].language,
                                                .listen = "127.0.0.1:0",
                                                .http = true };
        int r = server_start(&server, plan->hatcheryd, &options, e);
        if (r < 0)
                return r;
        r = hold(plan, row, &server, s, e);
        int stopped = server_stop(&server, &at_end);
        if (r == 0 && stopped < 0) {
                *e = at_end;
                r = stopped;
        }
        return r;
}
