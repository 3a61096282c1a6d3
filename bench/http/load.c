/* Requests one at a time, and requests all at once: see load.h. */
#include "bench/http/load.h"

#include "bench/base/clock.h"
#include "bench/http/parts.h"
#include "proto/base/own.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int http_question_init(struct http_question *q, const struct http_asking *a, const char *query, struct err *e)
{
        *q = (struct http_question){ .text = contract_body(a->contract, a->program) };
        if (!q->text)
                return err_set(e, ENOMEM, "make the request");
        q->body = (struct http_body){ .bytes = q->text, .len = strlen(q->text) };
        int n = snprintf(q->url, sizeof q->url, "%s%s%s", a->address, contract_path(a->contract), query);
        return n < (int)sizeof q->url ? 0 : err_say(e, EINVAL, "the server's address is too long");
}

void http_question_fini(struct http_question *q)
{
        free(q->text);
        q->text = NULL;
}

/* ---------------------------------------------------------------- one at a time */

static int paced_run(struct sample *s, struct http *h, const struct http_asking *a, const struct http_question *q,
                     struct err *e)
{
        struct http_answer answer;
        char why[SAMPLE_TEXT_SIZE];
        uint64_t began = clock_now();
        int r = a->client->post(h, q->body.bytes, q->body.len, NULL, &answer, e);
        if (r < 0)
                return r;
        if (contract_right(a->contract, a->program, &answer, why))
                sample_right(s, &sample_always, began, clock_now());
        else
                sample_wrong(s, "%s", why);
        return 0;
}

int http_paced(struct sample *s, const struct http_asking *a, const struct pace *pace, struct err *e)
{
        struct http_question q;
        struct http *h = NULL;
        struct sample warm = { 0 };
        int r = http_question_init(&q, a, "", e);
        if (r == 0)
                r = a->client->open(&h, q.url, e);
        for (uint32_t i = 0; r == 0 && i < pace->warm_runs; i++) {
                clock_sleep(pace->pause_ns);
                r = paced_run(&warm, h, a, &q, e);
        }
        double cpu = load_cpu_seconds();
        uint64_t start = clock_now();
        for (uint32_t i = 0; r == 0 && i < pace->runs; i++) {
                clock_sleep(pace->pause_ns);
                r = paced_run(s, h, a, &q, e);
        }
        s->seconds = (double)(clock_now() - start) / (double)CLOCK_SECOND;
        s->client_cpu_seconds = load_cpu_seconds() - cpu;
        if (warm.wrong > 0)
                sample_wrong(s, "while warming up: %s", warm.first_wrong);
        a->client->free(h);
        http_question_fini(&q);
        return r;
}

/* ---------------------------------------------------------------- all at once */

struct once {
        const struct http_asking *asking;
        struct sample *sample;
        uint64_t began_ns, ended_ns;
        unsigned in_flight;
};

static void once_answered(void *data, unsigned lane, const struct http_answer *a)
{
        struct once *o = data;
        char why[SAMPLE_TEXT_SIZE];
        (void)lane;
        bool right = contract_right(o->asking->contract, o->asking->program, a, why);
        o->ended_ns = clock_now();
        if (right)
                sample_right(o->sample, &sample_always, o->began_ns, o->ended_ns);
        else
                sample_wrong(o->sample, "%s", why);
        o->in_flight--;
}

int http_once(struct sample *s, const struct http_asking *a, unsigned connections, struct err *e)
{
        struct once o = { .asking = a, .sample = s };
        struct http_question q;
        struct http_many *many = NULL;
        int r = http_question_init(&q, a, "", e);
        const struct http_many_options options = {
                .url = q.url, .lanes = connections, .fresh = true, .answered = once_answered, .data = &o
        };
        if (r == 0)
                r = a->client->many_open(&many, &options, e);
        double cpu = load_cpu_seconds();
        o.began_ns = o.ended_ns = clock_now();
        for (unsigned i = 0; r == 0 && i < connections; i++) {
                r = a->client->many_ask(many, i, &q.body, e);
                o.in_flight += r == 0;
        }
        while (r == 0 && o.in_flight > 0)
                r = a->client->many_wait(many, e);
        s->seconds = (double)(o.ended_ns - o.began_ns) / (double)CLOCK_SECOND;
        s->client_cpu_seconds = load_cpu_seconds() - cpu;
        a->client->many_free(many);
        http_question_fini(&q);
        return r;
}
