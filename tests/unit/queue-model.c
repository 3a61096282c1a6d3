/* The queue against random clients in simulated time: no client waits longer than its share says, and none gets more
 * than a client that always has something waiting. A slot that is made again after a run does not count for that
 * client. So all slots of one client may be made again at one time. The next client then waits for one of them, and is
 * charged less. */
#include "pool/sched/queue.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

enum {
        PATTERNS = 2000,
        CLIENTS = 10,
        DEPTH = 24,
        SLOTS = 8,
        TIME_US = 4000000, /* each pattern takes so long */
        LONGEST_US = 40000,
};

enum habit {
        FLOODS,     /* always has several waiting */
        SEQUENTIAL, /* sends the next request when it has the answer */
        PAUSES,     /* the same, with pauses between */
        BURSTS,     /* many at once, and a pause */
        INVENTS,    /* always has several waiting, each under a name that was never seen before */
        HABITS,
};

struct request {
        struct queue_entry entry;
        int64_t asked_us, start_us, cost_us;
};

struct client {
        enum habit habit;
        unsigned depth;
        int64_t shortest_us, longest_us, pause_us;
        bool mixed; /* runs of the shortest and of the longest kind only */
        struct request request[DEPTH];
        unsigned n; /* its requests that wait or run */
        int64_t next_us;
        int64_t from_us, had_us;
        int64_t seen_us[CLIENTS]; /* the other clients' times when this request came */
};

struct model {
        struct queue q;
        struct queue_lane lane;
        struct client client[CLIENTS];
        unsigned n_clients, n_slots;
        struct {
                struct client *client;
                struct request *request;
                int64_t end_us, warm_us; /* end of the run; when the slot can be used again */
        } slot[SLOTS];
        int64_t making_us;        /* time that making takes */
        bool names;               /* clients are names of one peer, else peers */
        unsigned pattern, seed;   /* the number to give as HATCHERY_TEST_SEED, and the random state that starts from
                                   * it */
        unsigned n_names, n_most; /* names given so far; most accounts at one time */
        int64_t now_us;
};

static int64_t between(struct model *m, int64_t low, int64_t high)
{
        return low + (int64_t)(((uint64_t)(unsigned)rand_r(&m->seed) << 16 ^ (unsigned)rand_r(&m->seed)) %
                               (uint64_t)(high - low + 1));
}

static void set_up(struct model *m, unsigned seed)
{
        static const int64_t lengths[] = { 1000, 3000, 8000, 20000, LONGEST_US };
        memset(m, 0, sizeof *m);
        m->pattern = m->seed = seed;
        queue_init(&m->q, 10000, 1 << 30);
        queue_lane_init(&m->lane);
        m->n_slots = (unsigned)between(m, 1, SLOTS);
        m->n_clients = (unsigned)between(m, 2, CLIENTS);
        m->names = between(m, 0, 1);
        m->making_us = between(m, 0, 1) ? 0 : lengths[between(m, 0, 4)];
        queue_lane_share(&m->lane, m->n_slots, between(m, 0, 1) ? 75 : 100);
        for (unsigned i = 0; i < m->n_clients; i++) {
                struct client *c = &m->client[i];
                c->habit = i == 0 ? FLOODS : (enum habit)between(m, 0, HABITS - 1);
                c->depth = c->habit == FLOODS    ? 2 * SLOTS
                           : c->habit == INVENTS ? (unsigned)between(m, 1, 6)
                           : c->habit == BURSTS  ? (unsigned)between(m, 2, DEPTH)
                                                 : 1;
                c->shortest_us = lengths[between(m, 0, 4)];
                c->longest_us = lengths[between(m, 0, 4)];
                if (c->longest_us < c->shortest_us)
                        c->longest_us = c->shortest_us;
                c->mixed = between(m, 0, 1);
                c->pause_us = c->habit == PAUSES || c->habit == BURSTS ? between(m, 0, 3 * LONGEST_US) : 0;
                c->next_us = c->from_us = between(m, 0, between(m, 0, 1) ? LONGEST_US : TIME_US / 2);
        }
}

static void ask(struct model *m, struct client *c)
{
        char text[16];
        struct request *r = c->request;

        while (r->entry.account)
                r++;
        snprintf(text, sizeof text, "%u", c->habit == INVENTS ? 100 + m->n_names++ : (unsigned)(c - m->client));
        const struct span who = span_of_text(text), front = span_of_text("front");
        const struct queue_who asks = { m->names ? front : who, m->names ? who : span_of_text("") };
        r->asked_us = m->now_us;
        r->cost_us = c->mixed ? (between(m, 0, 1) ? c->shortest_us : c->longest_us)
                              : between(m, c->shortest_us, c->longest_us);
        assert_int_equal(queue_push(&m->q, &m->lane, &r->entry, &asks, 0, 1), 0);
        c->n++;
}

static void look_around(const struct model *m, struct client *c)
{
        for (unsigned i = 0; i < m->n_clients; i++)
                c->seen_us[i] = m->client[i].had_us;
}

static void come(struct model *m)
{
        unsigned n = 0;
        for (struct client *c = m->client; c < m->client + m->n_clients; c++) {
                if (c->from_us == m->now_us)
                        look_around(m, c);
                bool refills = c->habit == FLOODS || c->habit == INVENTS;
                if (c->next_us <= m->now_us && (refills || c->n == 0)) {
                        while (c->n < c->depth)
                                ask(m, c);
                        c->next_us = INT64_MAX;
                }
                n += c->habit == INVENTS ? c->depth : 1;
        }
        if (n > m->n_most)
                m->n_most = n;
}

/* The longest time of a run and its sandbox. */
static int64_t longest(const struct model *m)
{
        return LONGEST_US + m->making_us;
}

/* A client with one request at a time waits until the others have had as much time as it, and until runs end. */
static void check_wait(const struct model *m, const struct client *c, const struct request *r)
{
        int64_t most = 2 * (int64_t)(m->n_most + 2) * longest(m), took = m->now_us - r->asked_us;
        if (c->depth == 1 && took > most)
                fail_msg("seed %u: client %d waited %lld us, at most %lld are fair", m->pattern, (int)(c - m->client),
                         (long long)took, (long long)most);
}

static void start(struct model *m)
{
        struct queue_entry *e;
        for (unsigned i = 0; i < m->n_slots; i++) {
                if (m->slot[i].client || m->slot[i].warm_us > m->now_us || !(e = queue_first(&m->lane)))
                        continue;
                struct request *r = (struct request *)(void *)e;
                for (struct client *c = m->client; c < m->client + m->n_clients; c++)
                        if (r >= c->request && r < c->request + DEPTH)
                                m->slot[i].client = c;
                check_wait(m, m->slot[i].client, r);
                m->slot[i].request = r;
                m->slot[i].end_us = m->now_us + r->cost_us;
                r->start_us = m->now_us;
                queue_remove(&m->q, e);
                queue_start(&m->q, e, m->making_us);
        }
}

static void end(struct model *m)
{
        for (unsigned i = 0; i < m->n_slots; i++) {
                struct client *c = m->slot[i].client;
                if (!c || m->slot[i].end_us > m->now_us)
                        continue;
                queue_leave(&m->q, &m->slot[i].request->entry, m->slot[i].request->cost_us);
                c->had_us += m->making_us + m->slot[i].request->cost_us;
                c->n--;
                m->slot[i].client = NULL;
                m->slot[i].warm_us = m->now_us + m->making_us;
                if (c->depth > 1 && c->habit == BURSTS && c->n > 0)
                        continue;
                c->next_us = m->now_us + (c->pause_us ? between(m, 0, c->pause_us) : 0);
        }
}

static int64_t next_event(const struct model *m)
{
        int64_t at = INT64_MAX;
        for (unsigned i = 0; i < m->n_slots; i++) {
                int64_t next_us = m->slot[i].client ? m->slot[i].end_us : m->slot[i].warm_us;
                if (next_us < at && next_us > m->now_us)
                        at = next_us;
        }
        for (unsigned i = 0; i < m->n_clients; i++)
                if (m->client[i].next_us < at && m->client[i].next_us > m->now_us)
                        at = m->client[i].next_us;
        return at;
}

/* A client that always has a request waiting gets as much time as any other, counted from when both were there. Only
 * runs that can't be taken back make a difference. */
static void check_shares(const struct model *m)
{
        int64_t slack = 2 * (int64_t)(m->n_slots + 2) * longest(m);
        for (unsigned v = 0; v < m->n_clients; v++)
                for (unsigned i = 0; i < m->n_clients && m->client[v].habit == FLOODS; i++) {
                        const struct client *c = &m->client[i], *waits = &m->client[v];
                        const struct client *later = c->from_us > waits->from_us ? c : waits;
                        int64_t had = c->had_us - later->seen_us[i], fair = waits->had_us - later->seen_us[v];
                        if (c->habit != INVENTS && had > fair + slack)
                                fail_msg(
                                        "seed %u: client %u (habit %d) had %lld us, and %u, which always waited, %lld us",
                                        m->pattern, i, c->habit, (long long)had, v, (long long)fair);
                }
}

static void leave(struct model *m)
{
        for (unsigned i = 0; i < m->n_clients; i++)
                for (unsigned k = 0; k < DEPTH; k++)
                        queue_leave(&m->q, &m->client[i].request[k].entry, 0);
}

static void run(struct model *m, unsigned seed)
{
        set_up(m, seed);
        for (m->now_us = 0; m->now_us < TIME_US; m->now_us = next_event(m)) {
                end(m);
                come(m);
                start(m);
        }
        check_shares(m);
        leave(m);
}

static void nobody_waits_longer_than_its_share_says(void **state)
{
        (void)state;
        struct model *m = malloc(sizeof *m);
        const char *only = getenv("HATCHERY_TEST_SEED");
        assert_non_null(m);
        for (unsigned seed = 1; seed <= PATTERNS; seed++) {
                if (only && seed != (unsigned)atoi(only))
                        continue;
                run(m, seed);
        }
        free(m);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nobody_waits_longer_than_its_share_says),
        };
        return cmocka_run_group_tests_name("queue-model", tests, NULL, NULL);
}
