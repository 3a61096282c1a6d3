/* The closed loop over many connections: see http_closed in load.h. */
#include "bench/base/clock.h"
#include "bench/http/parts.h"
#include "proto/base/own.h"

#include <errno.h>
#include <string.h>

struct closed {
        const struct http_asking *asking;
        const struct http_closed *how;
        struct sample *sample;
        struct http_many *many;
        struct http_body body;
        struct http_body upload;
        uint64_t *asked_ns; /* for each connection: when its request left */
        uint64_t began_ns;
        struct window window; /* lies in the far future until warming up is over */
        unsigned in_flight;
        int error; /* what stopped the loop; e says why */
        struct err *e;
};

static void ask(struct closed *c, unsigned lane)
{
        c->asked_ns[lane] = clock_now();
        c->error = c->asking->client->many_ask(c->many, lane, &c->body, c->e);
        c->in_flight += c->error == 0;
}

/* The upload has the lane after the lanes of the connections. */
static void begin_upload(struct closed *c)
{
        c->error = c->asking->client->many_ask(c->many, c->how->connections, &c->upload, c->e);
        c->in_flight += c->error == 0;
}

static void begin_window(struct closed *c, uint64_t now)
{
        c->window = (struct window){ .start_ns = now, .end_ns = now + c->how->span.measure_ns };
        if (c->how->uploads)
                begin_upload(c);
}

static void answered(void *data, unsigned lane, const struct http_answer *a)
{
        struct closed *c = data;
        char why[SAMPLE_TEXT_SIZE];
        bool is_upload = lane == c->how->connections;
        bool right = contract_right(c->asking->contract, c->asking->program, a, why);
        uint64_t now = clock_now();

        c->in_flight--;
        if (c->error < 0)
                return;
        if (a->status == 0)
                c->error = err_say(c->e, EIO, "%s", why);
        else if (!right)
                sample_wrong(c->sample, "%s%s", is_upload ? "the upload: " : "", why);
        else if (!is_upload)
                sample_right(c->sample, &c->window, c->asked_ns[lane], now);
        if (c->error < 0 || is_upload)
                return;
        if (c->window.start_ns == UINT64_MAX && now >= c->began_ns + c->how->span.warm_ns)
                begin_window(c, now);
        if (c->error == 0 && now < c->window.end_ns)
                ask(c, lane);
}

static int run(struct closed *c)
{
        c->began_ns = clock_now();
        for (unsigned i = 0; c->error == 0 && i < c->how->connections; i++)
                ask(c, i);
        while (c->error == 0 && c->in_flight > 0) {
                int r = c->asking->client->many_wait(c->many, c->e);
                if (r < 0)
                        c->error = r;
        }
        return c->error;
}

int http_closed(struct sample *s, const struct http_asking *a, const struct http_closed *how, struct err *e)
{
        struct closed c = {
                .asking = a, .how = how, .sample = s, .window = { .start_ns = UINT64_MAX, .end_ns = UINT64_MAX }, .e = e
        };
        OWN_MEM uint64_t *asked_ns = calloc(how->connections, sizeof *asked_ns);
        OWN_MEM char *large = how->uploads ? contract_large_body(a->program, HTTP_UPLOAD_BYTES) : NULL;
        struct http_question q;
        if (!asked_ns || (how->uploads && !large))
                return err_set(e, ENOMEM, "hold %u connections", how->connections);
        int r = http_question_init(&q, a, "", e);
        const struct http_many_options options = { .url = q.url,
                                                   .lanes = how->connections + how->uploads,
                                                   .fresh = how->fresh,
                                                   .answered = answered,
                                                   .data = &c };
        c.asked_ns = asked_ns;
        c.body = q.body;
        c.upload = (struct http_body){ large, HTTP_UPLOAD_BYTES, HTTP_UPLOAD_PER_SECOND };
        if (r == 0)
                r = a->client->many_open(&c.many, &options, e);
        double cpu = load_cpu_seconds();
        if (r == 0)
                r = run(&c);
        s->client_cpu_seconds = load_cpu_seconds() - cpu;
        s->seconds = (double)how->span.measure_ns / (double)CLOCK_SECOND;
        a->client->many_free(c.many);
        http_question_fini(&q);
        return r;
}
