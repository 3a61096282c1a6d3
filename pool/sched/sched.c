/* The life of the scheduler, and the languages that come and go with the configuration: see sched.h. */
#include "pool/sched/sched.h"

#include "pool/base/loop.h"
#include "pool/sched/language_parts.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { OF_USE_TO_A_CORE = 4 };

/* ---------------------------------------------------------------- numbers of warm sandboxes */

static void say_share(const struct language *l, unsigned before)
{
        const struct scale *s = &l->scale;

        if (s->target != before)
                log_debug(l->sched->log, "%s: %u sandboxes are to be warm, %u were", l->name, s->target, before);
        if (s->target < s->min && before >= s->min)
                log_warn(l->sched->log, "%s: at least %u sandboxes are to be warm, and warm_memory has room for %u",
                         l->name, s->min, s->target);
}

/* Divides the memory for warm sandboxes among all languages anew, by their present demand. */
static void share(struct sched *s)
{
        struct scale *all[CONFIG_MAX_LANGUAGES];
        unsigned before[CONFIG_MAX_LANGUAGES];
        size_t n = s->n_languages;

        for (size_t i = 0; i < n; i++) {
                all[i] = &s->languages[i]->scale;
                before[i] = all[i]->target;
        }
        scale_share(all, n, s->config->warm_memory, clock_us());
        for (size_t i = 0; i < n; i++)
                say_share(s->languages[i], before[i]);
        /* Surplus sandboxes are ended before new ones are ordered. */
        for (size_t i = 0; i < n; i++)
                if (all[i]->target < before[i])
                        language_order_sandboxes(s->languages[i]);
        for (size_t i = 0; i < n; i++)
                if (all[i]->target > before[i])
                        language_order_sandboxes(s->languages[i]);
}

/* A client's runs of all languages together load one machine. So their number is bounded, too. The bound is
 * client_running if that is set. Otherwise it is the client's share of the larger of two numbers: the highest `running`
 * of a language, and the runs that all processors can use. */
static void share_clients(struct sched *s)
{
        unsigned most = OF_USE_TO_A_CORE * s->cores, percent = s->config->client_share;

        for (size_t i = 0; i < s->n_languages; i++)
                if (s->languages[i]->running > most)
                        most = s->languages[i]->running;
        if (s->config->client_running > 0)
                queue_share(&s->queue, s->config->client_running, percent);
        else
                queue_share(&s->queue, percent < 100 ? queue_part(most, percent) : 0, percent);
}

/* ---------------------------------------------------------------- readiness */

/* True if each language that is not broken has had its warm sandboxes, and there is at least one such language. */
static bool have_come_up(const struct sched *s)
{
        bool any = false;
        for (size_t i = 0; i < s->n_languages; i++) {
                const struct language *l = s->languages[i];
                if (!l->was_full && !l->broken)
                        return false;
                any = any || l->was_full;
        }
        return any;
}

static void language_came_up(struct sched *s)
{
        if (s->was_ready || !have_come_up(s))
                return;
        s->was_ready = true;
        s->ops->ready(s->owner);
}

bool sched_is_ready(const struct sched *s)
{
        if (!s->was_ready)
                return false;
        for (size_t i = 0; i < s->n_languages; i++)
                if (!s->languages[i]->ready)
                        return false;
        return s->n_languages > 0 && s->config->n_refused == 0;
}

/* ---------------------------------------------------------------- languages that leave */

/* Requests for a leaving language would wait for ever, because no more sandboxes are made for it. */
static void refuse_waiting(struct language *l)
{
        l->sched->ops->lost(l->sched->owner, l, SCHED_LEAVING);
}

static void leave(struct language *l)
{
        log_info(l->sched->log, "reload: the language %s goes", l->name);
        LIST_INSERT_HEAD(&l->sched->leaving, l, leaving_link);
        language_leave(l);
        l->sched->ops->spoken(l->sched->owner);
        refuse_waiting(l);
}

/* Frees leaving languages that have nothing left. Refuses waiting requests again, since a run that has lost its sandbox
 * may wait again. */
static void let_go(struct sched *s)
{
        struct language *l = LIST_FIRST(&s->leaving), *next;
        for (; l; l = next) {
                next = LIST_NEXT(l, leaving_link);
                refuse_waiting(l);
                language_tick(l);
                if (!language_is_gone(l))
                        continue;
                log_info(s->log, "%s: gone", l->name);
                LIST_REMOVE(l, leaving_link);
                language_fini(l);
                free(l);
        }
}

/* ---------------------------------------------------------------- languages that come */

static struct language *find_leaving(struct sched *s, const char *name)
{
        struct language *l;
        LIST_FOREACH(l, &s->leaving, leaving_link)
        if (strcmp(l->name, name) == 0)
                return l;
        return NULL;
}

static bool same_data(const struct config_runtime *a, const struct config_runtime *b)
{
        return a == b || (a && b && config_runtime_same(a, b));
}

/* True if the ceilings that a zygote knows are the same. These are the ceilings of the limits that the kernel keeps. */
static bool same_ceilings(const struct config_language *a, const struct config_language *b)
{
        int64_t of_a[LIMIT_COUNT], of_b[LIMIT_COUNT];

        config_most(a, of_a);
        config_most(b, of_b);
        return of_a[LIMIT_MEMORY] == of_b[LIMIT_MEMORY] && of_a[LIMIT_DISK] == of_b[LIMIT_DISK] &&
               of_a[LIMIT_PIDS] == of_b[LIMIT_PIDS];
}

/* The default memory limit matters to prestarted languages, because a prestarted program's heap may be sized for it. */
static bool same_memory(const struct config_language *a, const struct config_language *b)
{
        return !b->data || b->data->kind != KIND_PRESTARTED || a->standard[LIMIT_MEMORY] == b->standard[LIMIT_MEMORY];
}

/* Settings that a zygote is started with take effect with the next zygote. */
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
        log_info(l->sched->log, "reload: %s is renewed, because what it is started with has changed", l->name);
        language_outdate(l);
}

/* Makes the list of configured languages. A language may be present, come back, or be new. -ENOMEM: no list was made.
 */
static int make_list(struct sched *s, struct language ***list, struct err *e)
{
        const struct config *c = s->config;
        struct language **made = calloc(c->n_languages + 1, sizeof(struct language *));
        size_t n = 0;

        for (; made && n < c->n_languages; n++) {
                struct language *l = sched_named(s, span_of_text(c->languages[n].name));
                if (!l)
                        l = find_leaving(s, c->languages[n].name);
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
                if (!made[i]->sched)
                        free(made[i]);
        free(made);
        return err_set(e, ENOMEM, "the languages");
}

static void come(struct sched *s, struct language *l, const struct config_language *config)
{
        if (!l->sched) {
                language_init(l, s, config);
        } else if (l->leaving) {
                LIST_REMOVE(l, leaving_link);
                language_come_back(l, config);
        } else {
                language_configure(l, config);
                return;
        }
        if (s->was_ready)
                log_info(s->log, "reload: the language %s comes", l->name);
}

void sched_adopt(struct sched *s, struct span language, uint32_t generation, int sock)
{
        OWN_FD int owned = sock;
        struct language *l = sched_named(s, language);
        if (l)
                language_adopt(l, generation, own_steal_fd(&owned));
        else /* the pool does not have this language; the zygote sees its channel closed, and ends */
                log_error(s->log, "a zygote came for %.*s, which is not configured", (int)language.len,
                          (const char *)language.data);
}

/* ---------------------------------------------------------------- the scheduler's life */

static void on_unblocked(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct sched *s = arg;
        if (!s->closing)
                sched_kick(s);
}

int sched_init(struct sched *s, struct err *e)
{
        static const struct language_ops ops = { .grown = share, .came_up = language_came_up };
        struct language **list = NULL;

        s->language_ops = &ops;
        queue_init(&s->queue, s->config->max_queue, s->config->max_queue_bytes);
        LIST_INIT(&s->leaving);
        if (evtimer_assign(&s->unblocked, s->base, on_unblocked, s) < 0 || loop_urgent(&s->unblocked, LOOP_REPORTS) < 0)
                return err_say(e, EIO, "libevent can't be set up");
        int r = make_list(s, &list, e);
        if (r < 0)
                return r;
        s->languages = list;
        for (; s->n_languages < s->config->n_languages; s->n_languages++)
                come(s, list[s->n_languages], &s->config->languages[s->n_languages]);
        share(s);
        share_clients(s);
        return 0;
}

int sched_reload(struct sched *s, const struct config *was, struct err *e)
{
        struct language **list = NULL, **old = s->languages;
        size_t n_old = s->n_languages;
        int r = make_list(s, &list, e);
        if (r < 0)
                return r;

        for (size_t i = 0; old && i < n_old; i++)
                renew_if_changed(old[i], was, s->config);
        s->languages = list;
        s->n_languages = s->config->n_languages;
        for (size_t i = 0; list && i < s->n_languages; i++)
                come(s, list[i], &s->config->languages[i]);
        for (size_t i = 0; old && i < n_old; i++)
                if (!config_find_language(s->config, old[i]->name))
                        leave(old[i]);
        free(old);
        share(s);
        share_clients(s);
        sched_kick(s);
        s->queue.max = s->config->max_queue;
        s->queue.max_bytes = s->config->max_queue_bytes;
        return 0;
}

void sched_kick(struct sched *s)
{
        for (size_t i = 0; i < s->n_languages; i++)
                language_kick(s->languages[i]);
}

void sched_tick(struct sched *s)
{
        if (s->closing)
                return;
        for (size_t i = 0; i < s->n_languages; i++)
                language_tick(s->languages[i]);
        let_go(s);
        share(s);
}

void sched_close(struct sched *s)
{
        struct language *l;

        s->closing = true;
        for (size_t i = 0; i < s->n_languages; i++)
                language_drain(s->languages[i]);
        LIST_FOREACH(l, &s->leaving, leaving_link)
        language_drain(l);
}

void sched_fini(struct sched *s)
{
        struct language *l;

        s->closing = true;
        while ((l = LIST_FIRST(&s->leaving))) {
                LIST_REMOVE(l, leaving_link);
                language_fini(l);
                free(l);
        }
        for (size_t i = 0; i < s->n_languages; i++) {
                language_fini(s->languages[i]);
                free(s->languages[i]);
        }
        free(s->languages);
        s->languages = NULL;
        s->n_languages = 0;
        if (event_initialized(&s->unblocked))
                event_del(&s->unblocked);
}
