/* Requests, their answers, and the loop over many connections: see load.h. */
#include "bench/load.h"

#include "bench/clock.h"
#include "client/hatchery.h"
#include "proto/own.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

/* Longer than any limit of a run: an answer that takes this long is lost, and the benchmark ends instead of hanging. */
enum { LOST_MS = 60000, EVENTS = 64 };

struct lane {
        struct hatchery *h;
        uint64_t id; /* of the request in flight; 0: none */
        uint64_t began_ns;
};

struct load {
        const struct workload *workload;
        const struct window *window;
        struct sample *sample;
        struct request request;
        struct lane *lanes;
        unsigned n_lanes;
        unsigned in_flight;
        int epoll;
};

static struct request request_for(const struct workload *w)
{
        return (struct request){
                .kind = REQUEST_EXECUTE,
                .execute = { .language = span_of_text(w->language), .has_code = true, .code = span_of_text(w->code) },
        };
}

static double thread_cpu_seconds(void)
{
        struct rusage u;
        getrusage(RUSAGE_THREAD, &u);
        return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
               (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Counts an answer. What is not exactly what the program must give is wrong, whatever the reason. */
static void judge(struct sample *s, const struct workload *w, const struct window *window, const struct answer *a,
                  uint64_t id, uint64_t began_ns, uint64_t ended_ns)
{
        const hatchery_v1_Result *r = &a->m.answer.result;
        if (a->m.id != id)
                sample_wrong(s, "the answer is to request %" PRIu64 ", but %" PRIu64 " was asked", a->m.id, id);
        else if (a->m.which_answer == hatchery_v1_ServerMessage_error_tag)
                sample_wrong(s, "%s: %s", answer_code_name((int)a->m.answer.error.code), a->m.answer.error.message);
        else if (a->m.which_answer != hatchery_v1_ServerMessage_result_tag)
                sample_wrong(s, "the answer is neither a result nor an error");
        else if (r->status != hatchery_v1_Result_Status_EXITED || r->exit_code != 0)
                sample_wrong(s, "the run ended as %s with exit code %d and signal %d",
                             answer_status_name((int)r->status), (int)r->exit_code, (int)r->signal);
        else if (!workload_answered(w, a->out.data, a->out.len) || a->err.len > 0)
                sample_wrong(s,
                             "the program answered %zu bytes of standard output and %zu of standard error, not what "
                             "it must",
                             a->out.len, a->err.len);
        else
                sample_right(s, window, began_ns, ended_ns);
}

/* ---------------------------------------------------------------- one at a time */

static int paced_run(struct sample *s, struct hatchery *h, const struct workload *w, struct request *q, struct err *e)
{
        struct hatchery_answer a = { 0 };
        q->id++;
        uint64_t began = clock_now();
        int r = hatchery_send(h, q, e);
        if (r == 0)
                r = hatchery_receive(h, &a, LOST_MS, e);
        uint64_t ended = clock_now();
        if (r == HATCHERY_TIMEOUT)
                r = err_say(e, ETIMEDOUT, "no answer within %d s", LOST_MS / 1000);
        if (r == HATCHERY_OK)
                judge(s, w, &sample_always, &a.answer, q->id, began, ended);
        hatchery_answer_fini(&a);
        return r;
}

int load_paced(struct sample *s, const char *address, const struct workload *w, const struct pace *pace, struct err *e)
{
        struct hatchery *h = NULL;
        struct request q = request_for(w);
        struct sample warm = { 0 };
        int r = hatchery_connect(&h, address, e);
        for (uint32_t i = 0; r == 0 && i < pace->warm_runs; i++) {
                clock_sleep(pace->pause_ns);
                r = paced_run(&warm, h, w, &q, e);
        }
        double cpu = thread_cpu_seconds();
        uint64_t start = clock_now();
        for (uint32_t i = 0; r == 0 && i < pace->runs; i++) {
                clock_sleep(pace->pause_ns);
                r = paced_run(s, h, w, &q, e);
        }
        s->seconds = (double)(clock_now() - start) / (double)CLOCK_SECOND;
        s->client_cpu_seconds = thread_cpu_seconds() - cpu;
        if (warm.wrong > 0)
                sample_wrong(s, "while warming up: %s", warm.first_wrong);
        hatchery_close(h);
        return r;
}

/* ---------------------------------------------------------------- closed loop */

static int lane_send(struct load *l, struct lane *lane, struct err *e)
{
        lane->id = ++l->request.id;
        l->in_flight++;
        lane->began_ns = clock_now();
        return hatchery_send(lane->h, &l->request, e);
}

static int load_open(struct load *l, const char *address, struct err *e)
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

static void load_shut(struct load *l)
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
        judge(l->sample, l->workload, l->window, &a.answer, lane->id, lane->began_ns, now);
        hatchery_answer_fini(&a);
        lane->id = 0;
        l->in_flight--;
        return now < l->window->end_ns ? lane_send(l, lane, e) : 0;
}

static int load_loop(struct load *l, struct err *e)
{
        int r = 0;
        for (unsigned i = 0; r == 0 && i < l->n_lanes; i++)
                r = lane_send(l, &l->lanes[i], e);
        while (r == 0 && l->in_flight > 0) {
                struct epoll_event events[EVENTS];
                int n = epoll_wait(l->epoll, events, EVENTS, LOST_MS);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_set(e, errno, "wait for answers");
                if (n == 0)
                        return err_say(e, ETIMEDOUT, "no answer on any of %u connections within %d s", l->n_lanes,
                                       LOST_MS / 1000);
                for (int i = 0; r == 0 && i < n; i++)
                        r = lane_serve(l, events[i].data.ptr, e);
        }
        return r;
}

int load_closed(struct sample *s, const char *address, const struct workload *w, unsigned connections,
                const struct window *window, struct err *e)
{
        OWN_MEM struct lane *lanes = calloc(connections, sizeof *lanes);
        if (!lanes)
                return err_set(e, ENOMEM, "hold %u connections", connections);
        struct load l = { .workload = w,
                          .window = window,
                          .sample = s,
                          .request = request_for(w),
                          .lanes = lanes,
                          .n_lanes = connections,
                          .epoll = -1 };
        int r = load_open(&l, address, e);
        double cpu = thread_cpu_seconds();
        if (r == 0)
                r = load_loop(&l, e);
        s->client_cpu_seconds = thread_cpu_seconds() - cpu;
        s->seconds = (double)(window->end_ns - window->start_ns) / (double)CLOCK_SECOND;
        load_shut(&l);
        return r;
}
