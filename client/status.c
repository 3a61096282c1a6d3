/* `hatchery ping`, `hatchery status` and `hatchery languages`: one short question each, and its answer for a person or
 * as JSON. */
#include "client/status.h"

#include "client/hatchery.h"
#include "client/json.h"
#include "client/refuse.h"
#include "client/report.h"
#include "client/text.h"
#include "proto/kind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ANSWER_TIMEOUT_MS = 10000 };

/* What was asked and came back. */
struct inquiry {
        struct hatchery_answer answer;
        const char *address;
        uint64_t round_trip_us; /* of the question, without the connecting */
};

static uint64_t now_us(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int ask_on(struct hatchery *h, struct inquiry *q, enum request_kind kind, struct err *e)
{
        struct request request = { .id = 1, .kind = kind };
        uint64_t start = now_us();
        int r = hatchery_send(h, &request, e);
        if (r == HATCHERY_OK)
                r = hatchery_receive(h, &q->answer, ANSWER_TIMEOUT_MS, e);
        if (r == HATCHERY_TIMEOUT)
                r = err_say(e, ETIMEDOUT, "no answer from %s within %d s", q->address, ANSWER_TIMEOUT_MS / 1000);
        q->round_trip_us = now_us() - start;
        return r;
}

/* Asks, and sees to every outcome but the answer that was hoped for: 0, or the exit code. */
static int ask(struct inquiry *q, const struct options *o, enum request_kind kind, pb_size_t expected)
{
        struct err e = { 0 };
        struct hatchery *h;
        memset(q, 0, sizeof *q);
        q->address = hatchery_address(o->address);
        if (hatchery_connect(&h, o->address, &e) < 0)
                return refuse_connection(o->json, &e);
        int r = ask_on(h, q, kind, &e);
        hatchery_close(h);
        if (r < 0)
                return refuse_connection(o->json, &e);
        if (q->answer.answer.m.which_answer != expected)
                return refuse_answer(o->json, &q->answer.answer);
        return 0;
}

/* Standard output may be a full disk, which only shows here. */
static int finish(int printed, struct err *e)
{
        if (printed == 0 && (fflush(stdout) != 0 || ferror(stdout)))
                printed = err_set(e, errno, "write to standard output");
        if (printed == 0)
                return 0;
        text_say("%s", e->text);
        return EXIT_REFUSED;
}

int status_ping(const struct options *o)
{
        struct inquiry q;
        struct err e = { 0 };
        int r = 0;
        int code = ask(&q, o, REQUEST_PING, hatchery_v1_ServerMessage_pong_tag);
        if (code == 0) {
                char took[TEXT_SIZE];
                text_us(took, q.round_trip_us);
                if (o->json) {
                        r = json_print(json_of_pong(&q.answer.answer, q.address, q.round_trip_us), &e);
                } else {
                        text_clean(q.answer.answer.m.answer.pong.server_version);
                        printf("hatcheryd %s at %s answered in %s\n", q.answer.answer.m.answer.pong.server_version,
                               q.address, took);
                }
                code = finish(r, &e);
        }
        hatchery_answer_fini(&q.answer);
        return code;
}

static void print_language(hatchery_v1_LanguageStatus *l)
{
        char p50[TEXT_SIZE] = "-", p99[TEXT_SIZE] = "-", each[TEXT_SIZE] = "-", kept[3 * 10 + sizeof " ()-"];
        if (l->sandbox_bytes > 0)
                text_bytes(each, l->sandbox_bytes);
        snprintf(kept, sizeof kept, "%u (%u-%u)", l->warm_target, l->warm_min, l->warm_max);
        if (l->recycle_p99_us > 0) {
                text_us(p50, l->recycle_p50_us);
                text_us(p99, l->recycle_p99_us);
        }
        text_clean(l->name);
        text_clean(l->version);
        printf("%-10s %-12s %-9s %6u %8u %10u %7u %10llu %9llu %10llu %12s %12s %10u %10llu %12s %10s\n", l->name,
               l->version, l->ready ? "ready" : "not ready", l->warm, l->running, l->preparing, l->queued,
               (unsigned long long)l->runs, (unsigned long long)l->failures, (unsigned long long)l->discarded, p50, p99,
               l->generation, (unsigned long long)l->forks, kept, each);
}

static void print_stage(hatchery_v1_StageStatus *s)
{
        char sum[TEXT_SIZE], p50[TEXT_SIZE], p90[TEXT_SIZE], p99[TEXT_SIZE], max[TEXT_SIZE];
        text_clean(s->name);
        printf("  %-10s %10llu %12s %12s %12s %12s %12s\n", s->name, (unsigned long long)s->count,
               text_us(sum, s->sum_us), text_us(p50, s->p50_us), text_us(p90, s->p90_us), text_us(p99, s->p99_us),
               text_us(max, s->max_us));
}

/* Where the time of its runs went; nothing where there was none. A server that is older has no stages. */
static void print_stages(hatchery_v1_LanguageStatus *l)
{
        if (l->stages_count == 0 || l->runs == 0)
                return;
        printf("\n%s, stage by stage:\n", l->name);
        printf("  %-10s %10s %12s %12s %12s %12s %12s\n", "STAGE", "COUNT", "SUM", "P50", "P90", "P99", "MAX");
        for (size_t i = 0; i < l->stages_count; i++)
                if (l->stages[i].count > 0)
                        print_stage(&l->stages[i]);
}

static void print_status(struct answer *a, const struct options *o, const char *address)
{
        (void)o;
        hatchery_v1_Status *s = &a->m.answer.status;
        unsigned long long up = s->uptime_us / 1000000;
        text_clean(s->server_version);
        printf("hatcheryd %s at %s: %s, up %llu d %02llu:%02llu:%02llu, %u connection%s, %u queued\n\n",
               s->server_version, address,
               s->draining ? "draining"
               : s->ready  ? "ready"
                           : "not ready",
               up / 86400, up / 3600 % 24, up / 60 % 60, up % 60, s->connections, s->connections == 1 ? "" : "s",
               s->queued);
        printf("%-10s %-12s %-9s %6s %8s %10s %7s %10s %9s %10s %12s %12s %10s %10s %12s %10s\n", "LANGUAGE", "VERSION",
               "STATE", "WARM", "RUNNING", "PREPARING", "QUEUED", "RUNS", "FAILURES", "DISCARDED", "RECYCLE P50",
               "RECYCLE P99", "GENERATION", "FORKS", "KEPT WARM", "EACH");
        for (size_t i = 0; i < a->n_languages; i++)
                print_language(&a->languages[i]);
        for (size_t i = 0; i < a->n_languages; i++)
                print_stages(&a->languages[i]);
}

/* One question, and two ways to show its answer. */
static int show(const struct options *o, bool tells_readiness,
                json_t *(*as_json)(const struct answer *a, const struct options *o),
                void (*print)(struct answer *a, const struct options *o, const char *address))
{
        struct inquiry q;
        struct err e = { 0 };
        int r = 0;
        int code = ask(&q, o, REQUEST_STATUS, hatchery_v1_ServerMessage_status_tag);
        if (code == 0) {
                if (o->json)
                        r = json_print(as_json(&q.answer.answer, o), &e);
                else
                        print(&q.answer.answer, o, q.address);
                code = finish(r, &e);
                if (code == 0 && tells_readiness && !q.answer.answer.m.answer.status.ready)
                        code = EXIT_NOT_READY;
        }
        hatchery_answer_fini(&q.answer);
        return code;
}

static json_t *status_as_json(const struct answer *a, const struct options *o)
{
        (void)o;
        return json_of_status(a);
}

int status_show(const struct options *o)
{
        return show(o, true, status_as_json, print_status);
}

/* ---------------------------------------------------------------- languages */

static void print_preloads(hatchery_v1_LanguageStatus *l)
{
        for (size_t i = 0; i < l->preloads_count; i++) {
                hatchery_v1_PreloadStatus *p = &l->preloads[i];
                char first[TEXT_SIZE], again[TEXT_SIZE];
                text_clean(p->name);
                if (p->missing)
                        printf("    %-24s is not there\n", p->name);
                else
                        printf("    %-24s loaded ahead in %s; its import costs %s\n", p->name,
                               text_us(first, p->first_us), text_us(again, p->again_us));
        }
}

static void print_compile_flags(hatchery_v1_LanguageStatus *l)
{
        for (size_t i = 0; i < l->compile_flags_count; i++) {
                text_clean(l->compile_flags[i]);
                printf("%s%s", i ? " " : "    takes --compile-flag ", l->compile_flags[i]);
        }
        if (l->compile_flags_count > 0)
                printf("\n");
}

static void print_kind(hatchery_v1_LanguageStatus *l, bool verbose)
{
        char aliases[sizeof l->aliases + sizeof l->aliases / sizeof l->aliases[0]] = "", each[TEXT_SIZE] = "-";
        size_t n = 0;

        for (size_t i = 0; i < l->aliases_count; i++) {
                text_clean(l->aliases[i]);
                n += (size_t)snprintf(aliases + n, sizeof aliases - n, "%s%s", i ? " " : "", l->aliases[i]);
        }
        text_clean(l->name);
        text_clean(l->version);
        if (l->sandbox_bytes > 0)
                text_bytes(each, l->sandbox_bytes);
        const char *kind = l->kind ? kind_name((enum kind)l->kind) : NULL;
        printf("%-14s %-11s %-12s %6u %10s  %s%s\n", l->name, kind ? kind : "-", l->version, l->warm, each, aliases,
               l->ready ? ""
               : n > 0  ? " (not ready)"
                        : "(not ready)");
        if (!verbose)
                return;
        print_preloads(l);
        print_compile_flags(l);
}

static void print_languages(struct answer *a, const struct options *o, const char *address)
{
        (void)address;
        printf("%-14s %-11s %-12s %6s %10s  %s\n", "LANGUAGE", "KIND", "VERSION", "WARM", "EACH", "ALSO CALLED");
        for (size_t i = 0; i < a->n_languages; i++)
                print_kind(&a->languages[i], o->verbose);
}

static json_t *languages_as_json(const struct answer *a, const struct options *o)
{
        return json_of_languages(a, o->verbose);
}

int status_languages(const struct options *o)
{
        return show(o, false, languages_as_json, print_languages);
}
