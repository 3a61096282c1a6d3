/* The open loop: see load_open in load.h. */
#include "bench/base/clock.h"
#include "bench/load/load.h"
#include "client/hatchery.h"
#include "proto/base/own.h"

#include <errno.h>
#include <poll.h>
#include <sys/prctl.h>

enum {
        MAX_CONNECTIONS = 64,
        PER_CONNECTION = 128,                        /* in flight; a server's own bound is 256 */
        RING = 2 * MAX_CONNECTIONS * PER_CONNECTION, /* more than the numbers in flight can differ by: see has_room */
};

struct flight {
        uint64_t number; /* 0: free */
        uint64_t due_ns;
};

struct open {
        const struct asking *asking;
        struct sample *sample;
        struct sample warm; /* requests due before the window; a wrong answer to one of them counts, too */
        struct hatchery *h[MAX_CONNECTIONS];
        unsigned n;
        unsigned in_flight;
        uint64_t last; /* number of the request sent last */
        uint64_t begin_ns;
        double interval_ns;
        struct window window; /* of the times at which requests are due */
        struct flight *ring;
};

static uint64_t due_ns(const struct open *o, uint64_t number)
{
        return o->begin_ns + (uint64_t)((double)(number - 1) * o->interval_ns);
}

/* False while so many requests are in flight that one more would be refused, or would replace another in the ring. It
 * is then sent later, and its latency includes that delay. */
static bool has_room(const struct open *o, uint64_t number)
{
        return o->in_flight < o->n * PER_CONNECTION && o->ring[number % RING].number == 0;
}

/* Takes all answers that are there on one connection. */
static int receive(struct open *o, struct hatchery *h, struct err *e)
{
        for (;;) {
                struct hatchery_answer a = { 0 };
                int r = hatchery_receive(h, &a, 0, e);
                if (r != HATCHERY_OK)
                        return r == HATCHERY_TIMEOUT ? 0 : r;
                uint64_t now = clock_now(), number = a.answer.m.id;
                struct flight *f = &o->ring[number % RING];
                if (number == 0 || f->number != number) {
                        hatchery_answer_fini(&a);
                        return err_say(e, EPROTO, "an answer came to no request in flight");
                }
                bool counts = f->due_ns >= o->window.start_ns;
                asking_judge(o->asking, number, &a.answer, counts ? o->sample : &o->warm, &sample_always, f->due_ns,
                             now);
                f->number = 0;
                o->in_flight--;
                hatchery_answer_fini(&a);
        }
}

static int send_next(struct open *o, struct err *e)
{
        uint64_t number = ++o->last;
        const struct request q = asking_request(o->asking, number);
        o->ring[number % RING] = (struct flight){ .number = number, .due_ns = due_ns(o, number) };
        o->in_flight++;
        int r = hatchery_send(o->h[number % o->n], &q, e);
        /* While hatchery_send waited for room, it may have read answers. poll would not report those. */
        return r < 0 ? r : receive(o, o->h[number % o->n], e);
}

static int wait_for_answers(struct open *o, uint64_t until_ns, struct err *e)
{
        struct pollfd p[MAX_CONNECTIONS];
        uint64_t now = clock_now(), left = until_ns > now ? until_ns - now : 0;
        const struct timespec t = { (time_t)(left / CLOCK_SECOND), (long)(left % CLOCK_SECOND) };
        for (unsigned i = 0; i < o->n; i++)
                p[i] = (struct pollfd){ .fd = hatchery_fd(o->h[i]), .events = POLLIN };
        int ready = ppoll(p, o->n, &t, NULL);
        if (ready < 0 && errno != EINTR)
                return err_set(e, errno, "wait for answers");
        int r = 0;
        for (unsigned i = 0; r == 0 && ready > 0 && i < o->n; i++)
                if (p[i].revents)
                        r = receive(o, o->h[i], e);
        return r;
}

static int run(struct open *o, struct err *e)
{
        const uint64_t lost = LOAD_LOST_MS * (CLOCK_SECOND / 1000);
        uint64_t heard = clock_now();
        for (;;) {
                uint64_t next = due_ns(o, o->last + 1), now = clock_now();
                bool more = next < o->window.end_ns;
                unsigned before = o->in_flight;
                if (!more && before == 0)
                        return 0;
                if (before == 0)
                        heard = now;
                if (now > heard + lost)
                        return err_say(e, ETIMEDOUT, "no answer within %d s", LOAD_LOST_MS / 1000);
                int r;
                if (more && next <= now && has_room(o, o->last + 1)) {
                        r = send_next(o, e);
                } else {
                        bool due = more && next > now;
                        r = wait_for_answers(o, due ? next : now + lost, e);
                        if (o->in_flight < before)
                                heard = clock_now();
                }
                if (r < 0)
                        return r;
        }
}

int load_open(struct sample *s, const char *address, const struct asking *a, unsigned connections, double per_second,
              const struct load_span *span, struct err *e)
{
        OWN_MEM struct flight *ring = calloc(RING, sizeof *ring);
        OWN_MEM struct open *o = calloc(1, sizeof *o);
        if (!ring || !o)
                return err_set(e, ENOMEM, "hold requests");
        *o = (struct open){ .asking = a, .sample = s, .interval_ns = (double)CLOCK_SECOND / per_second, .ring = ring };
        int r = 0;
        for (; r == 0 && o->n < connections && o->n < MAX_CONNECTIONS; o->n += r == 0)
                r = hatchery_connect(&o->h[o->n], address, e);

        double cpu = load_cpu_seconds();
        o->begin_ns = clock_now();
        o->window.start_ns = o->begin_ns + span->warm_ns;
        o->window.end_ns = o->window.start_ns + span->measure_ns;
        /* By default the kernel may wake a sleeper 50 us late, which would count as latency. */
        prctl(PR_SET_TIMERSLACK, 1UL);
        if (r == 0)
                r = run(o, e);
        prctl(PR_SET_TIMERSLACK, 0UL);
        s->client_cpu_seconds = load_cpu_seconds() - cpu;
        s->seconds = (double)span->measure_ns / (double)CLOCK_SECOND;
        s->offered = per_second;
        if (o->warm.wrong > 0)
                sample_wrong(s, "while warming up: %s", o->warm.first_wrong);
        for (unsigned i = 0; i < o->n; i++)
                hatchery_close(o->h[i]);
        return r;
}
