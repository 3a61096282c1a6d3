/* Output as it comes, as server-sent events: see http_first_byte in load.h. */
#include "bench/base/clock.h"
#include "bench/http/parts.h"
#include "proto/base/own.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_MAX = 64 << 10 };

/* One stream: the end of it that holds no whole event yet, and what was heard. */
struct stream {
        struct sample *sample;
        size_t len;
        bool heard; /* output came; it is judged */
        bool ended; /* by the event "result" */
        char text[STREAM_MAX];
};

static bool is_event(const char *text, const char *name, const char **data)
{
        size_t len = strlen(name);
        if (strncmp(text, "event: ", 7) != 0 || strncmp(text + 7, name, len) != 0 ||
            strncmp(text + 7 + len, "\ndata: ", 7) != 0)
                return false;
        *data = text + 7 + len + 7;
        return true;
}

static void take_output(struct stream *s, const char *data)
{
        json_t *o = json_loads(data, 0, NULL);
        const char *text = json_string_value(json_object_get(o, "text"));
        uint64_t now = clock_now();
        if (!text)
                text = "";
        if (!s->heard)
                load_judge_first(s->sample, text, strlen(text), now);
        s->heard = true;
        json_decref(o);
}

static void take_result(struct stream *s, const char *data)
{
        json_t *o = json_loads(data, 0, NULL);
        const char *status = json_string_value(json_object_get(o, "status"));
        const json_t *code = json_object_get(o, "exit_code");
        if (!status || strcmp(status, "EXITED") != 0 || !json_is_integer(code) || json_integer_value(code) != 0)
                sample_wrong(s->sample, "a stream ended with %.120s", data);
        s->ended = true;
        json_decref(o);
}

static void take(void *data, const char *bytes, size_t len)
{
        struct stream *s = data;
        if (len > sizeof s->text - 1 - s->len) /* longer than any right stream: it has no end, and is wrong */
                return;
        memcpy(s->text + s->len, bytes, len);
        s->len += len;
        s->text[s->len] = '\0';

        char *at = s->text;
        for (char *end; (end = strstr(at, "\n\n")); at = end + 2) {
                const char *of_event;
                *end = '\0';
                if (is_event(at, "output", &of_event))
                        take_output(s, of_event);
                else if (is_event(at, "result", &of_event))
                        take_result(s, of_event);
        }
        s->len -= (size_t)(at - s->text);
        memmove(s->text, at, s->len + 1);
}

static int first_byte(struct sample *sample, struct http *h, const struct http_asking *a, const struct http_question *q,
                      struct stream *s, struct err *e)
{
        const struct http_reader reader = { .take = take, .data = s };
        struct http_answer answer;
        s->sample = sample;
        s->len = 0;
        s->heard = s->ended = false;
        int r = a->client->post(h, q->body.bytes, q->body.len, &reader, &answer, e);
        if (r < 0)
                return r;
        if (!s->ended)
                sample_wrong(sample, "a stream without a result (status %ld): %.100s", answer.status, s->text);
        else if (!s->heard)
                sample_wrong(sample, "the run ended, and no output came before");
        return 0;
}

int http_first_byte(struct sample *s, const struct http_asking *a, const struct pace *pace, struct err *e)
{
        OWN_MEM struct stream *stream = calloc(1, sizeof *stream);
        struct http_question q;
        struct http *h = NULL;
        struct sample warm = { 0 };
        if (!stream)
                return err_set(e, ENOMEM, "hold a stream");
        int r = http_question_init(&q, a, "?stream=sse", e);
        if (r == 0)
                r = a->client->open(&h, q.url, e);
        double cpu = load_cpu_seconds();
        uint64_t start = clock_now();
        for (uint32_t i = 0; r == 0 && i < pace->warm_runs + pace->runs; i++) {
                clock_sleep(pace->pause_ns);
                r = first_byte(i < pace->warm_runs ? &warm : s, h, a, &q, stream, e);
        }
        s->seconds = (double)(clock_now() - start) / (double)CLOCK_SECOND;
        s->client_cpu_seconds = load_cpu_seconds() - cpu;
        if (warm.wrong > 0)
                sample_wrong(s, "while warming up: %s", warm.first_wrong);
        a->client->free(h);
        http_question_fini(&q);
        return r;
}
