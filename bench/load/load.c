/* Requests one at a time, and the closed loop over many connections: see load.h. */
#include "bench/load/load.h"

#include "bench/base/clock.h"
#include "client/hatchery.h"
#include "proto/base/own.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/resource.h>

enum { EVENTS = 64 };

struct lane {
        struct hatchery *h;
        uint64_t id; /* of the request in flight; 0: none */
        uint64_t began_ns;
};

struct load {
        const struct asking *asking;
        const struct load_span *span;
        uint64_t connected_ns;
        struct window window; /* lies in the far future until warming up is over */
        struct sample *sample;
        struct lane *lanes;
        unsigned n_lanes;
        unsigned in_flight;
        uint64_t last_id;
        int epoll;
};

double load_cpu_seconds(void)
{
        struct rusage u;
        getrusage(RUSAGE_THREAD, &u);
        return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
               (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ---------------------------------------------------------------- one at a time */

static int paced_run(struct sample *s, struct hatchery *h, const struct asking *ask, uint64_t number, struct err *e)
{
        struct hatchery_answer a = { 0 };
        const struct request q = asking_request(ask, number);
        uint64_t began = clock_now();
        int r = hatchery_send(h, &q, e);
        if (r == 0)
                r = hatchery_receive(h, &a, LOAD_LOST_MS, e);
        uint64_t ended = clock_now();
        if (r == HATCHERY_TIMEOUT)
                r = err_say(e, ETIMEDOUT, "no answer within %d s", LOAD_LOST_MS / 1000);
        if (r == HATCHERY_OK)
                asking_judge(ask, number, &a.answer, s, &sample_always, began, ended);
        hatchery_answer_fini(&a);
        return r;
}

int load_paced(struct sample *s, const char *address, const struct asking *a, const struct pace *pace, struct err *e)
{
        struct hatchery *h = NULL;
        uint64_t number = 0;
        struct sample warm = { 0 };
        int r = hatchery_connect(&h, address, e);
        for (uint32_t i = 0; r == 0 && i < pace->warm_runs; i++) {
                clock_sleep(pace->pause_ns);
                r = paced_run(&warm, h, a, ++number, e);
        }
        double cpu = load_cpu_seconds();
        uint64_t start = clock_now();
        for (uint32_t i = 0; r == 0 && i < pace->runs; i++) {
                clock_sleep(pace->pause_ns);
                r = paced_run(s, h, a, ++number, e);
        }
        s->seconds = (double)(clock_now() - start) / (double)CLOCK_SECOND;
        s->client_cpu_seconds = load_cpu_seconds() - cpu;
        if (warm.wrong > 0)
                sample_wrong(s, "while warming up: %s", warm.first_wrong);
        hatchery_close(h);
        return r;
}

/* ---------------------------------------------------------------- closed loop */

static int lane_send(struct load *l, struct lane *lane, struct err *e)
{
        const struct request q = asking_request(l->asking, ++l->last_id);
        lane->id = q.id;
        l->in_flight++;
        lane->began_ns = clock_now();
        return hatchery_send(lane->h, &q, e);
}

static int lanes_open(struct load *l, const char *address, struct err *e)
{
        l->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (l->epoll < 0)
                return err_set(e, errno, "watch connections");
        for (unsigned i = 0; i < l->n_lanes; i++) {
                struct lane *lane = &l->lanes[i];
                int r = hatchery_connect(&lane->h, address, e);
                if (r < 0)
                        return err_wrap(e, "connection %u of %u", i + 1, l->n_lanes);
                struct epoll_event event = { .events = EPOLLIN, .data.ptr = lane };
                if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, hatchery_fd(lane->h), &event) < 0)
                        return err_set(e, errno, "watch a connection");
        }
        return 0;
}

static void lanes_shut(struct load *l)
{
        for (unsigned i = 0; i < l->n_lanes; i++)
                hatchery_close(l->lanes[i].h);
        own_close(&l->epoll);
}

/* Takes the answer if it is whole, and sends the next request while there is time. */
static int lane_serve(struct load *l, struct lane *lane, struct err *e)
{
        struct hatchery_answer a = { 0 };
        int r = hatchery_receive(lane->h, &a, 0, e);
        if (r != HATCHERY_OK)
                return r == HATCHERY_TIMEOUT ? 0 : r;
        uint64_t now = clock_now();
        asking_judge(l->asking, lane->id, &a.answer, l->sample, &l->window, lane->began_ns, now);
        hatchery_answer_fini(&a);
        lane->id = 0;
        l->in_flight--;
        if (l->window.start_ns == UINT64_MAX && now >= l->connected_ns + l->span->warm_ns &&
            l->sample->runs >= l->span->warm_runs)
                l->window = (struct window){ .start_ns = now, .end_ns = now + l->span->measure_ns };
        return now < l->window.end_ns ? lane_send(l, lane, e) : 0;
}

static int lanes_run(struct load *l, struct err *e)
{
        int r = 0;
        for (unsigned i = 0; r == 0 && i < l->n_lanes; i++)
                r = lane_send(l, &l->lanes[i], e);
        while (r == 0 && l->in_flight > 0) {
                struct epoll_event events[EVENTS];
                int n = epoll_wait(l->epoll, events, EVENTS, LOAD_LOST_MS);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_set(e, errno, "wait for answers");
                if (n == 0)
                        return err_say(e, ETIMEDOUT, "no answer on any of %u connections within %d s", l->n_lanes,
                                       LOAD_LOST_MS / 1000);
                for (int i = 0; r == 0 && i < n; i++)
                        r = lane_serve(l, events[i].data.ptr, e);
        }
        return r;
}

int load_closed(struct sample *s, const char *address, const struct asking *a, unsigned connections,
                const struct load_span *span, struct err *e)
{
        OWN_MEM struct lane *lanes = calloc(connections, sizeof *lanes);
        if (!lanes)
                return err_set(e, ENOMEM, "hold %u connections", connections);
        struct load l = { .asking = a,
                          .span = span,
                          .window = { .start_ns = UINT64_MAX, .end_ns = UINT64_MAX },
                          .sample = s,
                          .lanes = lanes,
                          .n_lanes = connections,
                          .epoll = -1 };
        int r = lanes_open(&l, address, e);
        double cpu = load_cpu_seconds();
        l.connected_ns = clock_now();
        if (r == 0)
                r = lanes_run(&l, e);
        s->client_cpu_seconds = load_cpu_seconds() - cpu;
        s->seconds = (double)span->measure_ns / (double)CLOCK_SECOND;
        lanes_shut(&l);
        return r;
}
