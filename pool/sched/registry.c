/* Languages come and go: see languages.h. */
#include "pool/sched/registry.h"

#include "pool/core/admission.h"
#include "pool/core/early.h"
#include "pool/core/run.h"
#include "pool/native/connection.h"
#include "pool/sched/language.h"
#include "pool/state.h"
#include "proto/base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { OF_USE_TO_A_CORE = 4 };

/* ---------------------------------------------------------------- by name */

static bool is_named(const char *word, struct span name)
{
        return strlen(word) == name.len && strncasecmp(word, (const char *)name.data, name.len) == 0;
}

/* Is it one of the words of a list, with spaces between? */
static bool is_among(const char *list, struct span name)
{
        for (const char *at = list; *at;) {
                size_t len = strcspn(at, " ");
                if (len == name.len && strncasecmp(at, (const char *)name.data, len) == 0)
                        return true;
                at += len + strspn(at + len, " ");
        }
        return false;
}

struct language *languages_named(struct pool *p, struct span name)
{
        for (size_t i = 0; i < p->n_languages && name.len > 0; i++)
                if (is_named(p->languages[i]->name, name))
                        return p->languages[i];
        return NULL;
}

struct language *languages_find(struct pool *p, struct span name)
{
        struct language *l = languages_named(p, name);
        for (size_t i = 0; i < p->n_languages && !l && name.len > 0; i++)
                if (is_among(p->languages[i]->aliases, name))
                        l = p->languages[i];
        return l;
}

struct language *languages_first_unnamed(struct pool *p)
{
        for (size_t i = 0; i < p->n_languages; i++) {
                struct language *l = p->languages[i];
                if (!l->known && !l->broken && !l->is_profile && !l->compile.runtime) /* data has told its aliases */
                        return l;
        }
        return NULL;
}

const struct config_absent *languages_find_absent(const struct pool *p, struct span name)
{
        for (size_t i = 0; i < p->config.n_absent && name.len > 0; i++)
                if (is_named(p->config.absent[i].name, name) || is_among(p->config.absent[i].aliases, name))
                        return &p->config.absent[i];
        return NULL;
}

/* ---------------------------------------------------------------- who has how many warm */

static void say_share(const struct language *l, unsigned before)
{
        const struct scale *s = &l->scale;

        if (s->target != before)
                log_debug(&l->pool->log, "%s: %u sandboxes are to be warm, %u were", l->name, s->target, before);
        if (s->target < s->min && before >= s->min)
                log_warn(&l->pool->log,
                         "%s: of its %u sandboxes that are to be warm at least, warm_memory has room for %u", l->name,
                         s->min, s->target);
}

void languages_share(struct pool *p)
{
        struct scale *all[CONFIG_MAX_LANGUAGES];
        unsigned before[CONFIG_MAX_LANGUAGES];
        size_t n = p->n_languages;

        for (size_t i = 0; i < n; i++) {
                all[i] = &p->languages[i]->scale;
                before[i] = all[i]->target;
        }
        scale_share(all, n, p->config.warm_memory, clock_us());
        for (size_t i = 0; i < n; i++)
                say_share(p->languages[i], before[i]);
        /* What goes is out of the way before something comes. */
        for (size_t i = 0; i < n; i++)
                if (all[i]->target < before[i])
                        language_order_sandboxes(p->languages[i]);
        for (size_t i = 0; i < n; i++)
                if (all[i]->target > before[i])
                        language_order_sandboxes(p->languages[i]);
}

/* A client's runs of all languages together load one machine. So they are bounded as those of one language are: the one
 * that may run most, or as many runs as are of use to all processors. */
static void share_clients(struct pool *p)
{
        unsigned most = OF_USE_TO_A_CORE * p->cores, percent = p->config.client_share;

        for (size_t i = 0; i < p->n_languages; i++)
                if (p->languages[i]->running > most)
                        most = p->languages[i]->running;
        if (p->config.client_running > 0)
                queue_share(&p->queue, p->config.client_running, percent);
        else
                queue_share(&p->queue, percent < 100 ? queue_part(most, percent) : 0, percent);
}

/* ---------------------------------------------------------------- going */

/* Whoever waits would wait for ever: no sandbox is made any more. */
static void refuse_waiting(struct language *l)
{
        struct session *s;
        LIST_FOREACH(s, &l->pool->sessions, link)
        {
                struct run *r = LIST_FIRST(&s->runs), *next;
                for (; r; r = next) {
                        next = LIST_NEXT(r, of_session);
                        if (r->language == l)
                                run_language_gone(r);
                }
        }
}

void languages_refuse_broken(struct language *l)
{
        struct refusal refusal;
        struct session *s;

        scheduler_refuse_broken(l, &refusal);
        LIST_FOREACH(s, &l->pool->sessions, link)
        {
                struct run *r = LIST_FIRST(&s->runs), *next;
                for (; r && !language_current(l); r = next) {
                        next = LIST_NEXT(r, of_session);
                        if (r->language == l && r->planned && r->state == RUN_QUEUED)
                                run_refuse(r, &refusal);
                }
        }
}

static void leave(struct language *l)
{
        log_info(&l->pool->log, "reload: the language %s goes", l->name);
        LIST_INSERT_HEAD(&l->pool->leaving, l, leaving_link);
        language_leave(l);
        early_settle(l->pool);
        refuse_waiting(l);
}

/* A run that has lost its sandbox may have come back to wait. */
static void let_go(struct pool *p)
{
        struct language *l = LIST_FIRST(&p->leaving), *next;
        for (; l; l = next) {
                next = LIST_NEXT(l, leaving_link);
                refuse_waiting(l);
                language_tick(l);
                if (!language_is_gone(l))
                        continue;
                log_info(&p->log, "%s: gone", l->name);
                LIST_REMOVE(l, leaving_link);
                language_fini(l);
                free(l);
        }
}

/* ---------------------------------------------------------------- coming */

static struct language *find_leaving(struct pool *p, const char *name)
{
        struct language *l;
        LIST_FOREACH(l, &p->leaving, leaving_link)
        if (strcmp(l->name, name) == 0)
                return l;
        return NULL;
}

static bool same_data(const struct config_runtime *a, const struct config_runtime *b)
{
        return a == b || (a && b && config_runtime_same(a, b));
}

/* A zygote knows the ceilings of what the kernel keeps. */
static bool same_ceilings(const struct config_language *a, const struct config_language *b)
{
        int64_t of_a[LIMIT_COUNT], of_b[LIMIT_COUNT];

        config_most(a, of_a);
        config_most(b, of_b);
        return of_a[LIMIT_MEMORY] == of_b[LIMIT_MEMORY] && of_a[LIMIT_DISK] == of_b[LIMIT_DISK] &&
               of_a[LIMIT_PIDS] == of_b[LIMIT_PIDS];
}

/* What is started ahead may have a heap that fits into the usual limit. */
static bool same_memory(const struct config_language *a, const struct config_language *b)
{
        return !b->data || b->data->kind != KIND_PRESTARTED || a->standard[LIMIT_MEMORY] == b->standard[LIMIT_MEMORY];
}

/* What a zygote is started with takes effect with the next one. */
static void renew_if_changed(struct language *l, const struct config *was, const struct config *is)
{
        const struct config_language *old = config_find_language(was, l->name);
        const struct config_language *new = config_find_language(is, l->name);

        if (!old || !new ||
            (was->inodes == is->inodes && was->disk_read == is->disk_read &&
             config_list_same(old->preload, new->preload) && strcmp(old->runtime, new->runtime) == 0 &&
             strcmp(old->packages, new->packages) == 0 && same_data(old->data, new->data) && same_ceilings(old, new) &&
             same_memory(old, new)))
                return;
        log_info(&l->pool->log, "reload: %s is renewed, because what it is started with has changed", l->name);
        language_outdate(l);
}

/* The list of those that are configured: as they are now, or coming back, or of fresh memory. -ENOMEM: none. */
static int make_list(struct pool *p, struct language ***list, struct err *e)
{
        const struct config *c = &p->config;
        struct language **made = calloc(c->n_languages + 1, sizeof(struct language *));
        size_t n = 0;

        for (; made && n < c->n_languages; n++) {
                struct language *l = languages_named(p, span_of_text(c->languages[n].name));
                if (!l)
                        l = find_leaving(p, c->languages[n].name);
                if (!l)
                        l = calloc(1, sizeof *l);
                if (!l)
                        break;
                made[n] = l;
        }
        if (made && n == c->n_languages) {
                *list = made;
                return 0;
        }
        for (size_t i = 0; i < n; i++)
                if (!made[i]->pool)
                        free(made[i]);
        free(made);
        return err_set(e, ENOMEM, "the languages");
}

static void come(struct pool *p, struct language *l, const struct config_language *config)
{
        if (!l->pool) {
                language_init(l, p, config);
        } else if (l->leaving) {
                LIST_REMOVE(l, leaving_link);
                language_come_back(l, config);
        } else {
                language_configure(l, config);
                return;
        }
        if (p->was_ready)
                log_info(&p->log, "reload: the language %s comes", l->name);
}

int languages_init(struct pool *p, struct err *e)
{
        struct language **list = NULL;
        int r = make_list(p, &list, e);
        if (r < 0)
                return r;
        p->languages = list;
        for (; p->n_languages < p->config.n_languages; p->n_languages++)
                come(p, list[p->n_languages], &p->config.languages[p->n_languages]);
        languages_share(p);
        share_clients(p);
        return 0;
}

int languages_reload(struct pool *p, const struct config *was, struct err *e)
{
        struct language **list = NULL, **old = p->languages;
        size_t n_old = p->n_languages;
        int r = make_list(p, &list, e);
        if (r < 0)
                return r;

        for (size_t i = 0; old && i < n_old; i++)
                renew_if_changed(old[i], was, &p->config);
        p->languages = list;
        p->n_languages = p->config.n_languages;
        for (size_t i = 0; list && i < p->n_languages; i++)
                come(p, list[i], &p->config.languages[i]);
        for (size_t i = 0; old && i < n_old; i++)
                if (!config_find_language(&p->config, old[i]->name))
                        leave(old[i]);
        free(old);
        languages_share(p);
        share_clients(p);
        languages_kick(p);
        return 0;
}

/* ---------------------------------------------------------------- all of them */

void languages_kick(struct pool *p)
{
        for (size_t i = 0; i < p->n_languages; i++)
                language_kick(p->languages[i]);
}

void languages_tick(struct pool *p)
{
        for (size_t i = 0; i < p->n_languages; i++)
                language_tick(p->languages[i]);
        let_go(p);
        languages_share(p);
}

void languages_drain(struct pool *p)
{
        struct language *l;
        for (size_t i = 0; i < p->n_languages; i++)
                language_drain(p->languages[i]);
        LIST_FOREACH(l, &p->leaving, leaving_link)
        language_drain(l);
}

bool languages_have_come_up(const struct pool *p)
{
        bool any = false;
        for (size_t i = 0; i < p->n_languages; i++) {
                const struct language *l = p->languages[i];
                if (!l->was_full && !l->broken)
                        return false;
                any = any || l->was_full;
        }
        return any;
}

bool languages_are_ready(const struct pool *p)
{
        for (size_t i = 0; i < p->n_languages; i++)
                if (!p->languages[i]->ready)
                        return false;
        return p->n_languages > 0 && p->config.n_refused == 0;
}

void languages_fini(struct pool *p)
{
        struct language *l;

        while ((l = LIST_FIRST(&p->leaving))) {
                LIST_REMOVE(l, leaving_link);
                language_fini(l);
                free(l);
        }
        for (size_t i = 0; i < p->n_languages; i++) {
                language_fini(p->languages[i]);
                free(p->languages[i]);
        }
        free(p->languages);
        p->languages = NULL;
        p->n_languages = 0;
}
