/* Output as it comes: see load_first_byte and load_flood in load.h. */
#include "bench/base/clock.h"
#include "bench/load/load.h"
#include "client/hatchery.h"
#include "proto/base/own.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { EVENTS = 64, PERIOD = 251, PATTERN = 1 << 20, CREDIT_FROM = 64 << 10 };

static struct request streaming(const struct asking *a, uint64_t number)
{
        struct request q = asking_request(a, number);

        q.execute.stream = true;
        q.execute.has_limit[LIMIT_OUTPUT] = true;
        q.execute.limit[LIMIT_OUTPUT] = WORKLOAD_FLOOD_OUTPUT;
        return q;
}

/* ---------------------------------------------------------------- the first byte */

/* The program's output is the time of its write, on the clock that all processes of the machine share. */
void load_judge_first(struct sample *s, const void *bytes, size_t len, uint64_t received_ns)
{
        char text[32] = "";

        memcpy(text, bytes, len < sizeof text - 1 ? len : sizeof text - 1);
        uint64_t written_ns = strtoull(text, NULL, 10);
        if (written_ns == 0 || written_ns > received_ns || received_ns - written_ns > CLOCK_SECOND * 10)
                sample_wrong(s, "the program wrote \"%s\", which is not a time before %" PRIu64, text, received_ns);
        else
                sample_right(s, &sample_always, written_ns, received_ns);
}

static int first_byte(struct sample *s, struct hatchery *h, const struct asking *ask, uint64_t number, struct err *e)
{
        const struct request q = streaming(ask, number);
        bool heard = false;
        int r = hatchery_send(h, &q, e);

        for (bool over = false; r == 0 && !over;) {
                struct hatchery_answer a = { 0 };
                r = hatchery_receive(h, &a, LOAD_LOST_MS, e);
                uint64_t now = clock_now();
                if (r == HATCHERY_TIMEOUT)
                        r = err_say(e, ETIMEDOUT, "no answer within %d s", LOAD_LOST_MS / 1000);
                const pb_size_t which = a.answer.m.which_answer;
                if (r == 0 && which == hatchery_v1_ServerMessage_output_tag && !heard) {
                        heard = true;
                        load_judge_first(s, a.answer.out.data, a.answer.out.len, now);
                }
                over = r == 0 &&
                       (which == hatchery_v1_ServerMessage_result_tag || which == hatchery_v1_ServerMessage_error_tag);
                hatchery_answer_fini(&a);
        }
        if (r == 0 && !heard)
                sample_wrong(s, "the run ended, and no output came before");
        return r;
}

int load_first_byte(struct sample *s, const char *address, const struct asking *a, const struct pace *pace,
                    struct err *e)
{
        struct hatchery *h = NULL;
        struct sample warm = { 0 };
        int r = hatchery_connect(&h, address, e);
        double cpu = load_cpu_seconds();
        uint64_t start = clock_now();

        for (uint32_t i = 0; r == 0 && i < pace->warm_runs + pace->runs; i++) {
                clock_sleep(pace->pause_ns);
                r = first_byte(i < pace->warm_runs ? &warm : s, h, a, i + 1, e);
        }
        s->seconds = (double)(clock_now() - start) / (double)CLOCK_SECOND;
        s->client_cpu_seconds = load_cpu_seconds() - cpu;
        if (warm.wrong > 0)
                sample_wrong(s, "while warming up: %s", warm.first_wrong);
        hatchery_close(h);
        return r;
}

/* ---------------------------------------------------------------- the flood */

struct reader {
        struct hatchery *h;
        uint64_t received;
        uint64_t owed; /* received bytes for which no new credit was sent yet */
        bool over;
};

struct flood {
        struct sample *sample;
        struct reader *readers;
        unsigned n, over;
        uint8_t *pattern; /* the 251 bytes that each stream repeats, over and over */
        uint64_t first_ns, last_ns;
        int epoll;
};

static int open_all(struct flood *f, const char *address, const struct asking *a, struct err *e)
{
        f->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (f->epoll < 0)
                return err_set(e, errno, "watch connections");
        int r = 0;
        for (unsigned i = 0; r == 0 && i < f->n; i++) {
                struct reader *one = &f->readers[i];
                struct epoll_event event = { .events = EPOLLIN, .data.ptr = one };
                r = hatchery_connect(&one->h, address, e);
                if (r == 0 && epoll_ctl(f->epoll, EPOLL_CTL_ADD, hatchery_fd(one->h), &event) < 0)
                        r = err_set(e, errno, "watch a connection");
        }
        const struct request q = streaming(a, 1);
        for (unsigned i = 0; r == 0 && i < f->n; i++)
                r = hatchery_send(f->readers[i].h, &q, e);
        return r;
}

/* Called when the first stream ends. All streams had the same time until then, so the bytes received of each show how
 * evenly the server served them. */
static void look_at_shares(struct flood *f)
{
        struct sample_stream *stream = &f->sample->stream;

        stream->slowest = stream->fastest = f->readers[0].received;
        for (unsigned i = 1; i < f->n; i++) {
                uint64_t n = f->readers[i].received;
                stream->slowest = n < stream->slowest ? n : stream->slowest;
                stream->fastest = n > stream->fastest ? n : stream->fastest;
        }
}

static void take_output(struct flood *f, struct reader *one, const struct answer *a, uint64_t now)
{
        const uint8_t *at = a->out.data;

        f->first_ns = f->first_ns ? f->first_ns : now;
        f->last_ns = now;
        if (a->m.answer.output.offset != one->received)
                sample_wrong(f->sample, "output at %" PRIu64 " follows %" PRIu64 " bytes",
                             (uint64_t)a->m.answer.output.offset, one->received);
        else if (a->out.len > PATTERN || memcmp(at, f->pattern + one->received % PERIOD, a->out.len) != 0)
                sample_wrong(f->sample, "%zu bytes at %" PRIu64 " are not what was written", a->out.len, one->received);
        one->received += a->out.len;
        one->owed += a->out.len;
}

static void take_end(struct flood *f, struct reader *one, const struct answer *a)
{
        const hatchery_v1_Result *result = &a->m.answer.result;

        one->over = true;
        if (f->over++ == 0)
                look_at_shares(f);
        f->sample->stream.bytes += one->received;
        if (a->m.which_answer != hatchery_v1_ServerMessage_result_tag)
                sample_wrong(f->sample, "%s: %s", answer_code_name((int)a->m.answer.error.code),
                             a->m.answer.error.message);
        else if (result->status != hatchery_v1_Result_Status_EXITED || result->exit_code != 0)
                sample_wrong(f->sample, "a stream ended as %s with exit code %d",
                             answer_status_name((int)result->status), (int)result->exit_code);
        else if (result->stdout_total != WORKLOAD_FLOOD_BYTES)
                sample_wrong(f->sample, "a program wrote %" PRIu64 " bytes", (uint64_t)result->stdout_total);
        else
                f->sample->stream.lost += result->stdout_total - one->received;
}

static int give_back(struct reader *one, struct err *e)
{
        const struct request q = { .kind = REQUEST_CREDIT, .request_id = 1, .credit_bytes = one->owed };

        if (one->owed < CREDIT_FROM || one->over)
                return 0;
        one->owed = 0;
        return hatchery_send(one->h, &q, e);
}

/* Takes all answers that are there on one connection. */
static int read_one(struct flood *f, struct reader *one, struct err *e)
{
        for (;;) {
                struct hatchery_answer a = { 0 };
                int r = hatchery_receive(one->h, &a, 0, e);
                if (r != HATCHERY_OK)
                        return r == HATCHERY_TIMEOUT ? 0 : r;
                const pb_size_t which = a.answer.m.which_answer;
                if (which == hatchery_v1_ServerMessage_output_tag)
                        take_output(f, one, &a.answer, clock_now());
                else if (which == hatchery_v1_ServerMessage_result_tag || which == hatchery_v1_ServerMessage_error_tag)
                        take_end(f, one, &a.answer);
                hatchery_answer_fini(&a);
                r = give_back(one, e);
                if (r < 0)
                        return r;
        }
}

static int read_all(struct flood *f, struct err *e)
{
        int r = 0;

        while (r == 0 && f->over < f->n) {
                struct epoll_event events[EVENTS];
                int n = epoll_wait(f->epoll, events, EVENTS, LOAD_LOST_MS);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_set(e, errno, "wait for output");
                if (n == 0)
                        return err_say(e, ETIMEDOUT, "no output on any of %u connections within %d s", f->n,
                                       LOAD_LOST_MS / 1000);
                for (int i = 0; r == 0 && i < n; i++)
                        r = read_one(f, events[i].data.ptr, e);
        }
        return r;
}

int load_flood(struct sample *s, const char *address, const struct asking *a, unsigned streams, struct err *e)
{
        OWN_MEM struct reader *readers = calloc(streams, sizeof *readers);
        OWN_MEM uint8_t *pattern = malloc(PATTERN + PERIOD);
        if (!readers || !pattern)
                return err_set(e, ENOMEM, "hold %u streams", streams);
        for (size_t i = 0; i < PATTERN + PERIOD; i++)
                pattern[i] = (uint8_t)(i % PERIOD);
        struct flood f = { .sample = s, .readers = readers, .n = streams, .pattern = pattern, .epoll = -1 };
        double cpu = load_cpu_seconds();

        s->stream = (struct sample_stream){ .n = streams };
        int r = open_all(&f, address, a, e);
        if (r == 0)
                r = read_all(&f, e);
        s->client_cpu_seconds = load_cpu_seconds() - cpu;
        s->stream.seconds = (double)(f.last_ns - f.first_ns) / (double)CLOCK_SECOND;
        s->seconds = s->stream.seconds;
        s->runs = streams;
        for (unsigned i = 0; i < streams; i++)
                hatchery_close(readers[i].h);
        own_close(&f.epoll);
        return r;
}
