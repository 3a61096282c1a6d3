/* The worker's connections to the pool: see run_parts.h. One connection carries all small requests of all callers.
 * Large requests share a few other connections, so that a small request never waits behind a large request's bytes.
 * libhatchery makes a lost connection anew. */
#include "gateway/run_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- one line */

static void on_connected(void *data, struct hatchery_client *c)
{
        struct line *line = data;
        (void)c;
        line->is_down = false;
}

/* Requests that were sent have failed already. Requests that were not sent would wait for the next connection. They are
 * cancelled instead, so that their callers decide whether to try again. */
static void on_disconnected(void *data, struct hatchery_client *c, const struct err *why, int64_t retry_ms)
{
        struct line *line = data;
        struct ask *a;

        (void)c;
        (void)why;
        line->is_down = true;
        line->retry_ms = retry_ms > 0 ? retry_ms : RUN_RETRY_MS;
        TAILQ_FOREACH(a, &line->asks, link)
        hatchery_call_cancel(a->call);
}

static const struct hatchery_client_ops line_ops = { .connected = on_connected, .disconnected = on_disconnected };

void ask_leave(struct ask *a)
{
        TAILQ_REMOVE(&a->line->asks, a, link);
        a->call = NULL;
}

static void line_free(struct line *line)
{
        struct ask *a;

        if (!line)
                return;
        while ((a = TAILQ_FIRST(&line->asks))) {
                ask_leave(a);
                if (a->drop)
                        a->drop(a);
        }
        hatchery_event_free(line->event);
        hatchery_client_free(line->client);
        free(line);
}

static struct line *line_new(struct runs *all, struct err *e)
{
        struct line *line = calloc(1, sizeof *line);
        if (!line) {
                err_set(e, ENOMEM, "connect to the pool");
                return NULL;
        }
        const struct hatchery_client_config config = {
                .address = all->address,
                .max_answer = INT32_MAX, /* the pool is trusted, and bounds its answers itself */
                .backoff_first_ms = 20,
                .backoff_most_ms = 2000,
                .ops = &line_ops,
                .data = line,
        };
        line->all = all;
        TAILQ_INIT(&line->asks);
        if (hatchery_client_new(&line->client, &config, e) < 0 ||
            hatchery_event_attach(&line->event, line->client, all->base, e) < 0) {
                line_free(line);
                return NULL;
        }
        return line;
}

/* ---------------------------------------------------------------- all lines */

/* A large line that carries nothing, or a new line, or else the line that carries the fewest calls. */
static struct line *large_line(struct runs *all, struct err *e)
{
        struct line *best = NULL;

        for (size_t i = 0; i < RUN_LARGE_LINES; i++) {
                struct line **line = &all->large[i];
                if (!*line)
                        return *line = line_new(all, e);
                if (hatchery_client_calls((*line)->client) == 0)
                        return *line;
                if (!best || hatchery_client_calls((*line)->client) < hatchery_client_calls(best->client))
                        best = *line;
        }
        return best;
}

struct line *line_for(struct runs *all, size_t bytes, struct failure *why)
{
        struct err e = { 0 };
        struct line *line = bytes > RUN_LARGE ? large_line(all, &e) : all->small;

        if (!line) {
                failure_set(why, 503, "UNAVAILABLE", "%s", e.text);
                why->retry_after_ms = RUN_RETRY_MS;
                return NULL;
        }
        if (!line->is_down)
                return line;
        failure_set(why, 503, "UNAVAILABLE", "the server can't reach its sandboxes at present; send this again later");
        why->retry_after_ms = (uint64_t)line->retry_ms;
        return NULL;
}

int line_send(struct line *line, struct ask *a, const struct request *q, const struct hatchery_call_options *options,
              const struct hatchery_call_ops *ops, void *data, struct failure *why)
{
        struct err e = { 0 };
        int r = hatchery_client_send(line->client, q, options, ops, data, &a->call, &e);

        if (r == HATCHERY_OK) {
                a->line = line;
                TAILQ_INSERT_TAIL(&line->asks, a, link);
                return 0;
        }
        if (r == HATCHERY_FULL)
                failure_set(why, 503, "RESOURCE_EXHAUSTED",
                            "this server holds as many requests as it may; send this again later");
        else if (r == -EMSGSIZE)
                failure_set(why, 413, "RESOURCE_EXHAUSTED", "%s", e.text);
        else
                failure_set(why, 503, "UNAVAILABLE", "%s", e.text);
        why->retry_after_ms = r == -EMSGSIZE ? 0 : RUN_RETRY_MS;
        return r == HATCHERY_FULL ? -EBUSY : r;
}

int runs_new(struct runs **out, struct event_base *base, const char *address, uint32_t max_request_bytes, struct err *e)
{
        struct runs *all = calloc(1, sizeof *all);
        if (!all)
                return err_set(e, ENOMEM, "prepare for runs");
        all->base = base;
        all->max_request_bytes = max_request_bytes;
        TAILQ_INIT(&all->askers);
        all->address = strdup(address);
        all->small = all->address ? line_new(all, e) : NULL;
        if (!all->small) {
                int r = all->address ? -e->code : err_set(e, ENOMEM, "prepare for runs");
                runs_free(all);
                return r;
        }
        *out = all;
        return 0;
}

void runs_free(struct runs *all)
{
        if (!all)
                return;
        status_fini(all);
        line_free(all->small);
        for (size_t i = 0; i < RUN_LARGE_LINES; i++)
                line_free(all->large[i]);
        free(all->address);
        free(all);
}

bool runs_are_connected(const struct runs *all)
{
        return hatchery_client_is_connected(all->small->client);
}

struct event_base *runs_base(const struct runs *all)
{
        return all->base;
}
