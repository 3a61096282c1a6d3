/* `hatchery ping`, `hatchery status` and `hatchery languages`: one short question each, and its answer for a person or
 * as JSON. */
#include "client/status.h"

#include "client/hatchery.h"
#include "client/json.h"
#include "client/language.h"
#include "client/reach.h"
#include "client/refuse.h"
#include "client/report.h"
#include "client/text.h"
#include "proto/base/clock.h"
#include "proto/ipc/kind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A question and its answer. */
struct inquiry {
        struct hatchery_answer answer;
        const char *address;
        uint64_t round_trip_us; /* of the question alone, without the time to connect */
};

/* Asks, and handles every outcome except the expected answer: 0, or the exit code. */
static int ask(struct inquiry *q, const struct options *o, enum request_kind kind, pb_size_t expected)
{
        struct err e = { 0 };
        struct hatchery *h;
        memset(q, 0, sizeof *q);
        q->address = hatchery_address(o->address);
        if (reach(&h, o, &e) < 0)
                return refuse_connection(o->json, &e);
        int64_t start = clock_us();
        int r = reach_ask(h, kind, o, &q->answer, &e);
        q->round_trip_us = (uint64_t)(clock_us() - start);
        hatchery_close(h);
        if (r < 0)
                return refuse_connection(o->json, &e);
        if (q->answer.answer.m.which_answer != expected)
                return refuse_answer(o->json, &q->answer.answer);
        return 0;
}

/* Checks that all was written: a full disk shows only here. */
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

/* Prints one line of at most 100 columns. Further facts come when only one language is asked for. */
static void print_language(hatchery_v1_LanguageStatus *l)
{
        char p50[TEXT_SIZE] = "-", each[TEXT_SIZE] = "-", kept[2 * 10 + sizeof " of "];
        if (l->sandbox_bytes > 0)
                text_bytes(each, l->sandbox_bytes);
        snprintf(kept, sizeof kept, "%u of %u", l->warm, l->warm_target);
        if (l->recycle_p99_us > 0)
                text_us(p50, l->recycle_p50_us);
        text_clean(l->name);
        text_clean(l->version);
        printf("%-13s %-10.10s %-9s %9s %7u %6u %9llu %8llu %10s %10s\n", l->name, l->version,
               l->ready ? "ready" : "not ready", kept, l->running, l->queued, (unsigned long long)l->runs,
               (unsigned long long)l->failures, p50, each);
}

static void print_words(const char *title, const char *words, size_t n, size_t room)
{
        char clean[64];
        printf("  %-14s", title);
        for (size_t i = 0; i < n; i++) {
                snprintf(clean, sizeof clean, "%s", words + i * room);
                text_clean(clean);
                printf(" %s", clean);
        }
        printf("%s\n", n == 0 ? " -" : "");
}

#define WORDS(title, field, n) print_words(title, field[0], n, sizeof field[0])

/* Prints "7 EXITED, 2 CANCELLED"; an older server does not report it. */
static void print_results(const hatchery_v1_LanguageStatus *l)
{
        for (size_t i = 0; i < l->results_count; i++)
                printf("%s%llu %s", i == 0 ? "  ended          " : ", ", (unsigned long long)l->results[i].count,
                       answer_status_name((int)l->results[i].status));
        if (l->results_count > 0)
                printf("\n");
        if (l->cache_hits + l->cache_misses > 0)
                printf("  %-14s %llu from the cache, %llu not\n", "compiled", (unsigned long long)l->cache_hits,
                       (unsigned long long)l->cache_misses);
}

static void print_refusals(const hatchery_v1_Status *s)
{
        for (size_t i = 0; i < s->refusals_count; i++)
                printf("%s %llu %s", i == 0 ? "\nrefused since the start:" : ",",
                       (unsigned long long)s->refusals[i].count, answer_code_name((int)s->refusals[i].code));
        if (s->refusals_count > 0)
                printf("\n");
}

static void print_all_of(hatchery_v1_LanguageStatus *l)
{
        char p50[TEXT_SIZE], p99[TEXT_SIZE], each[TEXT_SIZE];
        const char *kind = l->kind ? kind_name((enum kind)l->kind) : NULL;

        text_clean(l->name);
        text_clean(l->version);
        printf("%s %s: %s, %s\n", l->name, l->version, kind ? kind : "kind not known yet",
               l->ready ? "ready" : "not ready");
        WORDS("also called", l->aliases, l->aliases_count);
        WORDS("files end in", l->extensions, l->extensions_count);
        WORDS("#! lines", l->interpreters, l->interpreters_count);
        printf("  %-14s %u now, %u to be (between %u and %u, by demand), %s each\n", "warm", l->warm, l->warm_target,
               l->warm_min, l->warm_max, l->sandbox_bytes > 0 ? text_bytes(each, l->sandbox_bytes) : "-");
        printf("  %-14s %u running, %u being prepared\n", "sandboxes", l->running, l->preparing);
        printf("  %-14s %llu done, %u queued, %llu failed by the server\n", "runs", (unsigned long long)l->runs,
               l->queued, (unsigned long long)l->failures);
        print_results(l);
        printf("  %-14s %s (median), %s (99th percentile) to the next warm sandbox\n", "recycling",
               text_us(p50, l->recycle_p50_us), text_us(p99, l->recycle_p99_us));
        printf("  %-14s %llu discarded\n", "slots", (unsigned long long)l->discarded);
        printf("  %-14s generation %u, which has made %llu sandboxes; %u process%s\n", "zygote", l->generation,
               (unsigned long long)l->forks, l->zygotes, l->zygotes == 1 ? "" : "es");
}

static void print_stage(hatchery_v1_StageStatus *s)
{
        char sum[TEXT_SIZE], p50[TEXT_SIZE], p90[TEXT_SIZE], p99[TEXT_SIZE], max[TEXT_SIZE];
        text_clean(s->name);
        printf("  %-10s %10llu %12s %12s %12s %12s %12s\n", s->name, (unsigned long long)s->count,
               text_us(sum, s->sum_us), text_us(p50, s->p50_us), text_us(p90, s->p90_us), text_us(p99, s->p99_us),
               text_us(max, s->max_us));
}

/* Prints the stages of its runs; nothing if there were none. An older server has no stages. */
static void print_stages(hatchery_v1_LanguageStatus *l)
{
        if (l->stages_count == 0 || l->runs == 0)
                return;
        printf("\nstage by stage:\n");
        printf("  %-10s %10s %12s %12s %12s %12s %12s\n", "STAGE", "COUNT", "SUM", "P50", "P90", "P99", "MAX");
        for (size_t i = 0; i < l->stages_count; i++)
                if (l->stages[i].count > 0)
                        print_stage(&l->stages[i]);
}

static int print_one(struct answer *a, const char *name, struct err *e)
{
        hatchery_v1_LanguageStatus *l = language_find(a, span_of_text(name));
        if (!l)
                return err_say(e, ENOENT, "the server has no language %s; see hatchery languages", name);
        print_all_of(l);
        print_stages(l);
        return 0;
}

static int print_status(struct answer *a, const struct options *o, const char *address, struct err *e)
{
        hatchery_v1_Status *s = &a->m.answer.status;
        unsigned long long up = s->uptime_us / 1000000;

        if (o->language)
                return print_one(a, o->language, e);
        text_clean(s->server_version);
        printf("hatcheryd %s at %s: %s, up %llu d %02llu:%02llu:%02llu, %u connection%s, %u queued\n\n",
               s->server_version, address,
               s->draining ? "draining"
               : s->ready  ? "ready"
                           : "not ready",
               up / 86400, up / 3600 % 24, up / 60 % 60, up % 60, s->connections, s->connections == 1 ? "" : "s",
               s->queued);
        printf("%-13s %-10s %-9s %9s %7s %6s %9s %8s %10s %10s\n", "LANGUAGE", "VERSION", "STATE", "WARM", "RUNNING",
               "QUEUED", "RUNS", "FAILURES", "RECYCLE", "EACH");
        for (size_t i = 0; i < a->n_languages; i++)
                print_language(&a->languages[i]);
        print_refusals(s);
        printf("\nhatchery status -l LANG shows every figure of one language, and the time of its stages.\n");
        return 0;
}

/* One question, and two ways to show its answer. */
static int show(const struct options *o, bool tells_readiness,
                json_t *(*as_json)(const struct answer *a, const struct options *o),
                int (*print)(struct answer *a, const struct options *o, const char *address, struct err *e))
{
        struct inquiry q;
        struct err e = { 0 };
        int r = 0;
        int code = ask(&q, o, REQUEST_STATUS, hatchery_v1_ServerMessage_status_tag);
        if (code == 0) {
                if (o->json)
                        r = json_print(as_json(&q.answer.answer, o), &e);
                else
                        r = print(&q.answer.answer, o, q.address, &e);
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
        WORDS("  files end in", l->extensions, l->extensions_count);
        WORDS("  #! lines", l->interpreters, l->interpreters_count);
        if (l->prompts)
                printf("    has a prompt: hatchery run -it -l %s\n", l->name);
        print_preloads(l);
        print_compile_flags(l);
}

static int print_languages(struct answer *a, const struct options *o, const char *address, struct err *e)
{
        (void)address;
        (void)e;
        printf("%-14s %-11s %-12s %6s %10s  %s\n", "LANGUAGE", "KIND", "VERSION", "WARM", "EACH", "ALSO CALLED");
        for (size_t i = 0; i < a->n_languages; i++)
                print_kind(&a->languages[i], o->verbose);
        return 0;
}

static json_t *languages_as_json(const struct answer *a, const struct options *o)
{
        return json_of_languages(a, o->verbose);
}

int status_languages(const struct options *o)
{
        return show(o, false, languages_as_json, print_languages);
}
