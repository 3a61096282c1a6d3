/* The scheduler with fake channels: this file makes the zygotes' reports, and records the orders to the zygotes. It
 * replaces the three functions of channel_end.c. */
#include "pool/sched/sched.h"

#include "pool/base/loop.h"
#include "pool/base/words.h"
#include "pool/sched/language.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { MAX_ORDERS = 256, N_LANGUAGES = 2 };

struct fake {
        struct sched s;
        struct log log;
        struct config config;
        struct channel_end *channel[N_LANGUAGES]; /* of each language's last zygote */
        struct order order[MAX_ORDERS];
        size_t n_orders;

        struct slot_holder holder; /* of the run that was started */
        struct slot *slot;
        unsigned started, spoken, broken, leaving, ready, renewed, served, killed;
        unsigned limited, exited, failed, lost;
};

static struct fake *the_fake; /* the owner of the channels */

/* ---------------------------------------------------------------- fake channels */

int channel_end_open(struct channel_end *c, struct event_base *base, int sock, struct err *e)
{
        (void)base;
        (void)e;
        c->sock = sock;
        return 0;
}

void channel_end_close(struct channel_end *c)
{
        if (c->sock >= 0)
                close(c->sock);
        c->sock = -1;
}

void channel_end_order(struct channel_end *c, const struct order *order, int fd)
{
        (void)fd;
        if (c->sock < 0)
                return;
        assert_true(the_fake->n_orders < MAX_ORDERS);
        the_fake->order[the_fake->n_orders++] = *order;
}

static unsigned ordered(const struct fake *f, enum order_kind kind)
{
        unsigned n = 0;
        for (size_t i = 0; i < f->n_orders; i++)
                n += f->order[i].kind == kind;
        return n;
}

/* ---------------------------------------------------------------- who is told */

static void on_start(void *owner, struct queue_entry *entry, struct slot *slot)
{
        struct fake *f = owner;
        f->started++;
        f->slot = slot;
        slot_hold(slot, &f->holder);
        queue_start(&f->s.queue, entry, slot->making_us);
}

static void on_spoken(void *owner)
{
        ((struct fake *)owner)->spoken++;
}

static void on_lost(void *owner, struct language *l, enum sched_loss loss)
{
        struct fake *f = owner;
        (void)l;
        f->broken += loss == SCHED_BROKEN;
        f->leaving += loss == SCHED_LEAVING;
}

static void on_ready(void *owner)
{
        ((struct fake *)owner)->ready++;
}

static int on_renew(void *owner, const char *language)
{
        (void)language;
        ((struct fake *)owner)->renewed++;
        return 0;
}

static void on_serves(void *owner, const char *language, uint32_t generation)
{
        (void)language;
        (void)generation;
        ((struct fake *)owner)->served++;
}

static void on_kill(void *owner, const char *language, uint32_t generation)
{
        (void)language;
        (void)generation;
        ((struct fake *)owner)->killed++;
}

static const struct sched_ops ops = {
        .start = on_start,
        .spoken = on_spoken,
        .lost = on_lost,
        .ready = on_ready,
        .renew = on_renew,
        .serves = on_serves,
        .kill = on_kill,
};

#define FAKE_OF(h) ((struct fake *)(void *)((char *)(h)-offsetof(struct fake, holder)))

static void is_limited(struct slot_holder *h)
{
        FAKE_OF(h)->limited++;
}

static void has_exited(struct slot_holder *h, const struct report *report)
{
        (void)report;
        FAKE_OF(h)->exited++;
}

static void has_failed(struct slot_holder *h, const char *why)
{
        (void)why;
        FAKE_OF(h)->failed++;
}

static void is_lost(struct slot_holder *h)
{
        FAKE_OF(h)->lost++;
}

static void goes_on(struct slot_holder *h)
{
        (void)h;
}

static const struct slot_holder_ops holder_ops = {
        .limited = is_limited,
        .exited = has_exited,
        .failed = has_failed,
        .lost = is_lost,
        .goes_on = goes_on,
};

/* ---------------------------------------------------------------- what the tests say */

#define TWO                                                                                                            \
        "language python { warm = 1 running = 2 }\n"                                                                   \
        "language lua { warm = 1 running = 2 }\n"
#define ONE "language python { warm = 1 running = 2 }\n"

static void load(struct config *c, const char *text)
{
        struct err e = { 0 };
        if (config_load(c, text, "test", &e) < 0)
                fail_msg("%s", e.text);
}

static int set_up(void **state)
{
        static struct fake f;
        struct err e = { 0 };

        f = (struct fake){ .log = { .who = "test" }, .holder.ops = &holder_ops };
        the_fake = &f;
        load(&f.config, TWO);
        f.s = (struct sched){ .ops = &ops, .owner = &f, .log = &f.log, .config = &f.config, .cores = 1 };
        assert_int_equal(loop_new(&f.s.base, &e), 0);
        assert_int_equal(sched_init(&f.s, &e), 0);
        assert_int_equal(f.s.n_languages, N_LANGUAGES);
        *state = &f;
        return 0;
}

static int tear_down(void **state)
{
        struct fake *f = *state;
        sched_fini(&f->s);
        event_base_free(f->s.base);
        config_fini(&f->config);
        return 0;
}

static int report(struct fake *f, size_t i, const struct report *r)
{
        struct err e = { 0 };
        int fds[CHANNEL_WARM_FDS];
        size_t n = r->kind == REPORT_WARM ? CHANNEL_WARM_FDS : 0;
        struct channel_end *c = f->channel[i];

        for (size_t k = 0; k < n; k++)
                fds[k] = open("/dev/null", O_RDWR | O_CLOEXEC);
        int got = c->on_report(c->owner, r, fds, n, &e);
        if (got < 0)
                c->on_end(c->owner, e.text);
        return got;
}

/* Gives the i-th language a zygote. aliases: those of the zygote's hello; NULL: it sends none. */
static void adopt(struct fake *f, size_t i, const char *aliases)
{
        struct language *l = f->s.languages[i];
        struct report hello = { .kind = REPORT_HELLO };

        hello.hello.ceilings = (struct ceilings){ INT64_MAX, INT64_MAX, INT64_MAX };
        sched_adopt(&f->s, span_of_text(l->name), 1, open("/dev/null", O_RDWR | O_CLOEXEC));
        f->channel[i] = &TAILQ_LAST(&l->zygotes, language_zygotes)->end;
        if (!aliases)
                return;
        strncpy(hello.hello.aliases, aliases, sizeof hello.hello.aliases - 1);
        assert_int_equal(report(f, i, &hello), 0);
}

/* The last order was to make a sandbox. Reports that this sandbox is warm. */
static void warm(struct fake *f, size_t i)
{
        const struct order *make = &f->order[f->n_orders - 1];
        assert_int_equal(make->kind, ORDER_MAKE);
        struct report r = { .kind = REPORT_WARM, .slot = make->slot, .sandbox = make->sandbox };
        assert_int_equal(report(f, i, &r), 0);
}

static void push(struct fake *f, size_t i, struct queue_entry *entry)
{
        const struct queue_who who = { .peer = span_of_text("somebody") };
        struct language *l = f->s.languages[i];
        assert_int_equal(queue_push(&f->s.queue, &l->lane, entry, &who, 0, 1), 0);
        language_kick(l);
}

static struct report about(const struct fake *f, enum report_kind kind)
{
        return (struct report){ .kind = kind, .slot = f->slot->number, .sandbox = f->slot->sandbox };
}

/* ---------------------------------------------------------------- tests */

static void a_request_gets_a_warm_sandbox_and_gives_it_back(void **state)
{
        struct fake *f = *state;
        struct queue_entry entry = { 0 };

        adopt(f, 0, "");
        assert_int_equal(f->served, 1);
        warm(f, 0);
        assert_true(f->s.languages[0]->ready);
        push(f, 0, &entry);
        assert_int_equal(f->started, 1);
        assert_int_equal(f->slot->state, SLOT_RUNNING);

        slot_order(f->slot, ORDER_LIMIT, -1);
        struct report r = about(f, REPORT_LIMITED);
        assert_int_equal(report(f, 0, &r), 0);
        assert_int_equal(f->limited, 1);
        r = about(f, REPORT_EXITED);
        assert_int_equal(report(f, 0, &r), 0);
        assert_int_equal(f->exited, 1);
        assert_int_equal(f->slot->state, SLOT_DYING);
        queue_leave(&f->s.queue, &entry, 1000);
        slot_recycle(f->slot, false);
        assert_int_equal(f->slot->state, SLOT_EMPTY);
        assert_int_equal(ordered(f, ORDER_CLEAR), 1);
        assert_int_equal(language_busy(f->s.languages[0]), 0);
}

static void a_signal_says_its_number_and_owes_no_answer(void **state)
{
        struct fake *f = *state;
        struct queue_entry entry = { 0 };

        adopt(f, 0, "");
        warm(f, 0);
        push(f, 0, &entry);
        f->slot->signal = 2;
        slot_order(f->slot, ORDER_SIGNAL, -1);
        assert_int_equal(f->order[f->n_orders - 1].signal, 2);
        assert_false(f->slot->owed);
        slot_order(f->slot, ORDER_KILL, -1);
        assert_int_equal(f->order[f->n_orders - 1].signal, 0);
        assert_true(f->slot->owed);
        queue_leave(&f->s.queue, &entry, 0);
}

static void limits_that_nobody_asked_for_end_the_zygote_and_its_holders_are_told(void **state)
{
        struct fake *f = *state;
        struct queue_entry entry = { 0 };

        adopt(f, 0, "");
        warm(f, 0);
        push(f, 0, &entry);
        struct report r = about(f, REPORT_LIMITED);
        assert_int_equal(report(f, 0, &r), -EPROTO);
        assert_int_equal(f->limited, 0);
        assert_int_equal(f->lost, 1);
        assert_int_equal(f->killed, 1);
        assert_int_equal(f->renewed, 1);
        assert_false(f->s.languages[0]->ready);
        queue_leave(&f->s.queue, &entry, 0);
}

static void a_deserted_slot_stays_taken_until_its_sandbox_has_died(void **state)
{
        struct fake *f = *state;
        struct queue_entry entry = { 0 };

        adopt(f, 0, "");
        warm(f, 0);
        push(f, 0, &entry);
        slot_order(f->slot, ORDER_KILL, -1);
        slot_desert(f->slot);
        assert_int_equal(language_busy(f->s.languages[0]), 1);
        struct report r = about(f, REPORT_EXITED);
        assert_int_equal(report(f, 0, &r), 0);
        assert_int_equal(f->exited, 0);
        assert_int_equal(language_busy(f->s.languages[0]), 0);
        queue_leave(&f->s.queue, &entry, 0);
}

static void a_language_that_does_not_come_up_is_waited_for_no_more(void **state)
{
        struct fake *f = *state;

        adopt(f, 0, "");
        warm(f, 0);
        assert_int_equal(f->ready, 0);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(f->broken, 0);
                adopt(f, 1, NULL);
                f->channel[1]->on_end(f->channel[1]->owner, "it has ended");
        }
        assert_int_equal(f->broken, 1);
        assert_int_equal(f->spoken, 2);
        assert_int_equal(f->ready, 1);
        assert_false(sched_is_ready(&f->s));

        adopt(f, 1, "");
        warm(f, 1);
        assert_true(sched_is_ready(&f->s));
        assert_int_equal(f->ready, 1);
}

static void a_language_that_is_configured_no_more_goes_when_nothing_points_to_it(void **state)
{
        struct fake *f = *state;
        struct config was = f->config;
        struct err e = { 0 };

        adopt(f, 0, "");
        adopt(f, 1, NULL);
        f->s.languages[1]->n_executions = 1;
        struct language *gone = f->s.languages[1];
        load(&f->config, ONE);
        assert_int_equal(sched_reload(&f->s, &was, &e), 0);
        config_fini(&was);
        assert_int_equal(f->s.n_languages, 1);
        assert_int_equal(f->spoken, 2);
        assert_int_equal(f->leaving, 1);
        assert_null(sched_find(&f->s, span_of_text("lua")));
        sched_tick(&f->s);
        assert_int_equal(f->leaving, 2);
        assert_ptr_equal(LIST_FIRST(&f->s.leaving), gone);
        gone->n_executions = 0;
        sched_tick(&f->s);
        assert_true(LIST_EMPTY(&f->s.leaving));
}

static void a_drain_orders_nothing_that_nothing_waits_for(void **state)
{
        struct fake *f = *state;
        struct queue_entry entry = { 0 };

        f->s.draining = true;
        adopt(f, 0, "");
        assert_int_equal(ordered(f, ORDER_MAKE), 0);
        push(f, 0, &entry);
        assert_int_equal(ordered(f, ORDER_MAKE), 1);
        queue_leave(&f->s.queue, &entry, 0);
        sched_close(&f->s);
        assert_int_equal(ordered(f, ORDER_DRAIN), 1);
        f->channel[0]->on_end(f->channel[0]->owner, "it has ended");
        assert_int_equal(f->killed, 0);
        assert_int_equal(f->renewed, 0);
}

static void a_language_is_found_by_name_and_alias_in_any_case(void **state)
{
        struct fake *f = *state;

        assert_ptr_equal(sched_first_unnamed(&f->s), f->s.languages[0]);
        adopt(f, 0, "py python3");
        assert_ptr_equal(sched_first_unnamed(&f->s), f->s.languages[1]);
        assert_ptr_equal(sched_named(&f->s, span_of_text("Python")), f->s.languages[0]);
        assert_null(sched_named(&f->s, span_of_text("py")));
        assert_ptr_equal(sched_find(&f->s, span_of_text("PY")), f->s.languages[0]);
        assert_ptr_equal(sched_find(&f->s, span_of_text("python3")), f->s.languages[0]);
        assert_null(sched_find(&f->s, span_of_text("pyt")));
        assert_null(sched_find(&f->s, span_of_text("py python3")));
        assert_null(sched_find(&f->s, span_of_text("")));
        assert_false(words_have("  ", span_of_text("")));
}

static void a_zygote_of_no_language_finds_its_channel_closed(void **state)
{
        struct fake *f = *state;
        int sock = open("/dev/null", O_RDWR | O_CLOEXEC);

        sched_adopt(&f->s, span_of_text("cobol"), 1, sock);
        assert_int_equal(fcntl(sock, F_GETFD), -1);
        sched_adopt(&f->s, span_of_text("lua"), 1, -1); /* the next tick asks for another zygote */
        assert_int_equal(f->renewed, 0);
        sched_tick(&f->s);
        assert_int_equal(f->renewed, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_request_gets_a_warm_sandbox_and_gives_it_back, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_signal_says_its_number_and_owes_no_answer, set_up, tear_down),
                cmocka_unit_test_setup_teardown(limits_that_nobody_asked_for_end_the_zygote_and_its_holders_are_told,
                                                set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_deserted_slot_stays_taken_until_its_sandbox_has_died, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(a_language_that_does_not_come_up_is_waited_for_no_more, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(a_language_that_is_configured_no_more_goes_when_nothing_points_to_it,
                                                set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_drain_orders_nothing_that_nothing_waits_for, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_language_is_found_by_name_and_alias_in_any_case, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_zygote_of_no_language_finds_its_channel_closed, set_up, tear_down),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
