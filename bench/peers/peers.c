/* Asking one of the peers from several threads: see peers.h. */
#include "bench/peers/peers.h"

#include "bench/base/clock.h"
#include "bench/http/client.h"
#include "bench/peers/bundle.h"
#include "bench/peers/lane.h"
#include "bench/peers/ways.h"
#include "proto/base/own.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

int peers_open(struct peers *p, enum peer_id id, const struct program *program, const char *http_module, struct err *e)
{
        const struct peer *peer = &peer_table[id];
        if (program->in || strcmp(program->w->language, "python") != 0)
                return err_say(e, EINVAL, "%s can only be asked to run Python programs without input", peer->name);
        if (!peer->http && access(p->place[id], X_OK) < 0)
                return err_set(e, errno, "%s: there is no program %s", peer->name, p->place[id]);
        if (peer->http && !p->http)
                return http_client_load(http_module, &p->http, e);
        if (id != PEER_CRUN || p->folder[0])
                return 0;
        return peers_bundle_make(p->folder, sizeof p->folder, program, e);
}

void peers_close(struct peers *p)
{
        if (p->folder[0])
                peers_bundle_remove(p->folder);
        p->folder[0] = '\0';
}

struct asker {
        struct peers_lane lane;
        const struct pace *pace; /* NULL: ask as fast as possible, in the window */
        const struct window *window;
        struct sample sample;
        struct err err;
        pthread_t thread;
};

static const struct peers_way *way_to(enum peer_id id)
{
        return peer_table[id].http ? &peers_http : &peers_process;
}

static int ask(struct asker *a, const struct window *window, struct sample *s)
{
        struct peers_verdict v = { .right = true };
        uint64_t began = clock_now();
        int r = way_to(a->lane.id)->run(&a->lane, &v, &a->err);
        if (r < 0)
                return r;
        if (v.right)
                sample_right(s, window, began, v.ended_ns);
        else
                sample_wrong(s, "%s: %s", peer_table[a->lane.id].name, v.why);
        return 0;
}

static int ask_paced(struct asker *a)
{
        int r = 0;
        struct sample warm = { 0 }, *s = &a->sample;
        for (uint32_t i = 0; r == 0 && i < a->pace->warm_runs; i++) {
                clock_sleep(a->pace->pause_ns);
                r = ask(a, &sample_always, &warm);
        }
        uint64_t start = clock_now();
        for (uint32_t i = 0; r == 0 && i < a->pace->runs; i++) {
                clock_sleep(a->pace->pause_ns);
                r = ask(a, &sample_always, s);
        }
        s->seconds = (double)(clock_now() - start) / (double)CLOCK_SECOND;
        if (warm.wrong > 0)
                sample_wrong(s, "while warming up: %s", warm.first_wrong);
        return r;
}

static int ask_window(struct asker *a)
{
        int r = 0;
        while (r == 0 && clock_now() < a->window->end_ns)
                r = ask(a, a->window, &a->sample);
        a->sample.seconds = (double)(a->window->end_ns - a->window->start_ns) / (double)CLOCK_SECOND;
        return r;
}

static void *asker_main(void *argument)
{
        struct asker *a = argument;
        const struct peers_way *way = way_to(a->lane.id);
        int r = way->open(&a->lane, &a->err);
        if (r == 0)
                r = a->pace ? ask_paced(a) : ask_window(a);
        if (r < 0)
                err_wrap(&a->err, "%s", peer_table[a->lane.id].name);
        way->close(&a->lane);
        return NULL;
}

/* Each lane is a thread. So it may wait for one run without delaying the others, and has thread-local data (see
 * process.c). */
static int run_askers(struct sample *s, struct asker *askers, unsigned n, struct err *e)
{
        unsigned started = 0;
        int r = 0;
        while (r == 0 && started < n) {
                r = -pthread_create(&askers[started].thread, NULL, asker_main, &askers[started]);
                started += r == 0;
        }
        if (r < 0)
                r = err_set(e, -r, "start a thread");
        for (unsigned i = 0; i < started; i++) {
                pthread_join(askers[i].thread, NULL);
                sample_merge(s, &askers[i].sample);
                if (r == 0 && askers[i].err.code) {
                        *e = askers[i].err;
                        r = -e->code;
                }
        }
        return r;
}

int peers_paced(struct sample *s, const struct peers *p, enum peer_id id, const struct program *program,
                const struct pace *pace, struct err *e)
{
        OWN_MEM struct asker *a = calloc(1, sizeof *a);
        if (!a)
                return err_set(e, ENOMEM, "ask %s", peer_table[id].name);
        a->lane = (struct peers_lane){ .id = id, .peers = p, .program = program };
        a->pace = pace;
        return run_askers(s, a, 1, e);
}

int peers_window(struct sample *s, const struct peers *p, enum peer_id id, const struct program *program, unsigned n,
                 const struct window *window, struct err *e)
{
        if (n > PEERS_MAX_PARALLEL)
                n = PEERS_MAX_PARALLEL;
        OWN_MEM struct asker *askers = calloc(n, sizeof *askers);
        if (!askers)
                return err_set(e, ENOMEM, "ask %s", peer_table[id].name);
        for (unsigned i = 0; i < n; i++) {
                askers[i].lane = (struct peers_lane){ .id = id, .number = i, .peers = p, .program = program };
                askers[i].window = window;
        }
        return run_askers(s, askers, n, e);
}
